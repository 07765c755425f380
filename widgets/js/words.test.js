// The same table as `tests/views/test_words.py` is tested with.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as words from "./words.js";

const table = JSON.parse(
  readFileSync(new URL("../../tests/views/words.json", import.meta.url), "utf8"),
);

for (const [name, cases] of Object.entries(table)) {
  test(name, () => {
    const inJavaScript = name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
    for (const [values, told] of cases) {
      assert.equal(words[inJavaScript](...values), told);
    }
  });
}

test("an instruction is split without losing a character", () => {
  for (const text of ["RUN npm ci", "  COPY a b", "CMD", "", "<b>", "X-Y z", "RUN\ttabs"]) {
    const { keyword, rest } = words.splitKeyword(text);
    assert.equal((keyword + rest).trim(), text.trim());
  }
  assert.deepEqual(words.splitKeyword("RUN npm ci"), { keyword: "RUN", rest: " npm ci" });
});
