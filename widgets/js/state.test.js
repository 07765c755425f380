import assert from "node:assert/strict";
import { test } from "node:test";

import { announcement, picture } from "./state.js";

const NO_LOG = { head: [], tail: [], dropped: 0, lines: 0 };

function step(fields) {
  return {
    id: `stage-0/${fields.n ?? fields.instruction}`,
    kind: "run",
    stage: "",
    platform: null,
    n: null,
    m: 4,
    instruction: "RUN npm ci",
    lines: [1, 1],
    state: "waiting",
    counted: true,
    offset: null,
    seconds: null,
    error: null,
    items: [],
    log: NO_LOG,
    skipped: {},
    ...fields,
  };
}

function build(fields) {
  return {
    id: "1",
    engine: "docker",
    command: "docker build .",
    tags: ["colors:first"],
    dockerfile: "nodejs/Dockerfile",
    outcome: null,
    elapsed: 10,
    hits: 0,
    executed: 0,
    countable: 3,
    strip: ["waiting", "waiting", "waiting"],
    image: null,
    log_file: "build.log",
    steps: [],
    warnings: [],
    failure: null,
    ...fields,
  };
}

const rowsOf = (snapshot, later) => picture(snapshot, later).groups.flatMap(({ rows }) => rows);

test("the summary sentence", () => {
  const told = (fields) => picture(build(fields)).outcome;
  assert.deepEqual(told({}), { fate: "running", text: "Building for 10.0 s" });
  assert.deepEqual(told({ outcome: "built" }), { fate: "reused", text: "Built in 10.0 s" });
  assert.deepEqual(told({ outcome: "failed" }), { fate: "failed", text: "Failed after 10.0 s" });
  assert.equal(told({ outcome: "cancelled" }).text, "Stopped after 10.0 s");
  assert.equal(picture(build({ hits: 2 })).ratio, "2 of 3 steps reused");
  assert.equal(picture(build({ tags: [] })).names, "(no name)");
});

test("steps are grouped by stage, the engine's own work apart", () => {
  const { groups, own } = picture(
    build({
      steps: [
        step({ n: 1, stage: "builder" }),
        step({ n: 2, stage: "builder" }),
        step({ n: 1, id: "stage-1/1", stage: "stage-1" }),
        step({ id: "internal:load", kind: "internal", stage: "", instruction: "load" }),
        step({ id: "export:image", kind: "export", stage: "", instruction: "export" }),
      ],
    }),
  );
  assert.deepEqual(
    groups.map(({ stage, rows }) => [stage, rows.length]),
    [
      ["builder", 2],
      ["stage-1", 1],
    ],
  );
  assert.equal(own.summary, "the engine’s own work: 2 steps");
  assert.equal(own.open, false);
});

test("metadata between steps becomes one quiet row", () => {
  const label = { kind: "metadata", state: "free", counted: false };
  const rows = rowsOf(
    build({
      steps: [
        step({ n: 1, kind: "from", state: "cached" }),
        step({ ...label, instruction: "LABEL a=b", lines: [2, 2] }),
        step({ ...label, instruction: "LABEL c=d", lines: [3, 4] }),
        step({ n: 2, lines: [5, 5] }),
        step({ ...label, instruction: "USER node", lines: [6, 6] }),
      ],
    }),
  );
  assert.deepEqual(
    rows.map(({ fate, lines, summary }) => [fate, lines, summary]),
    [
      ["base", "1", undefined],
      ["free", "2–4", "LABEL ×2"],
      ["waiting", "5", undefined],
      ["free", "6", "USER"],
    ],
  );
  assert.equal(rows[1].instructions[1].where, "lines 3–4: ");
});

test("only what worked has a time, and a bar that shows when", () => {
  const [ran, reused, base, running] = rowsOf(
    build({
      steps: [
        step({ n: 1, state: "executed", offset: 2.5, seconds: 5 }),
        step({ n: 2, state: "cached", offset: 1, seconds: 0 }),
        step({ n: 3, kind: "from", state: "cached", offset: 1, seconds: 0.01 }),
        step({ n: 4, state: "running", offset: 9, seconds: 1 }),
      ],
    }),
    2,
  );
  assert.equal(ran.time, "5.0 s");
  assert.deepEqual(ran.bar, { left: "20.83%", width: "41.67%" });
  assert.deepEqual([reused.time, reused.bar], ["", null]);
  assert.deepEqual([base.time, base.bar], ["", null]);
  assert.equal(running.time, "3.0 s", "two seconds after the snapshot");
});

test("bars never leave their track", () => {
  const [row] = rowsOf(
    build({ elapsed: 1, steps: [step({ n: 1, state: "executed", offset: 0.5, seconds: 99 })] }),
  );
  assert.deepEqual(row.bar, { left: "50.00%", width: "50.00%" });
  const [odd] = rowsOf(
    build({ elapsed: 0, steps: [step({ n: 1, state: "executed", offset: 3, seconds: 1 })] }),
  );
  assert.deepEqual(odd.bar, { left: "0.00%", width: "0.00%" });
});

test("the strip shows few steps one by one and joins many", () => {
  const few = picture(build({ strip: ["cached", "cached", "executed", "not reached"] })).strip;
  assert.deepEqual(
    few.map(({ fate }) => fate),
    ["reused", "reused", "ran", "unreached"],
  );
  assert.equal(few[0].width, "25.00%");
  const many = picture(build({ strip: [...Array(60).fill("cached"), ...Array(40).fill("running")] }));
  assert.deepEqual(many.strip, [
    { fate: "reused", width: "60.00%" },
    { fate: "running", width: "40.00%" },
  ]);
});

test("bytes under way are added up while every total is known", () => {
  const item = { name: "sha256:a", current: 10_000_000, total: 40_000_000, done: false };
  const pull = (items) => rowsOf(build({ steps: [step({ n: 1, kind: "from", state: "running", items })] }))[0];
  assert.deepEqual(pull([item, item]).progress, {
    value: 20_000_000,
    max: 80_000_000,
    text: "20.0 of 80.0 MB",
  });
  assert.equal(pull([item, { ...item, total: null }]).progress.max, null);
  assert.equal(pull([{ ...item, current: 0, total: null }]).progress, null);
  const resolve = { name: "resolve", current: 0, total: null, done: true };
  assert.equal(pull([resolve, item]).progress.max, 40_000_000, "no bytes, so none unknown");
  const { more } = pull([{ ...item, done: true, current: 0 }]);
  assert.equal(more.items[0].text, "40.0 MB");
});

test("a long log has a beginning, a gap that says where all of it is, and an end", () => {
  const log = { head: ["one"], tail: ["last"], dropped: 12_345, lines: 12_347 };
  const [{ more }] = rowsOf(build({ steps: [step({ n: 1, state: "executed", log })] }));
  assert.equal(more.summary, "12,347 lines of output");
  assert.deepEqual(more.output, {
    head: ["one\n"],
    gap: "… 12,345 lines not shown; the whole log is in build.log\n",
    tail: ["last\n"],
  });
  assert.equal(more.open, false);
});

test("the failing step is open and has the Dockerfile's lines", () => {
  const failure = {
    code: "run-failed",
    message: "exit code: 1",
    hint: "Look below.",
    step: "stage-0/2",
    lines: [9, 9],
    source: [
      { number: 8, text: "COPY a b", marked: false },
      { number: 9, text: "RUN false", marked: true },
    ],
  };
  const failed = build({
    outcome: "failed",
    failure,
    steps: [step({ n: 1, state: "executed" }), step({ n: 2, state: "failed", error: "exit code: 1" })],
  });
  const { groups, failure: above, note } = picture(failed);
  const { more } = groups[0].rows[1];
  assert.equal(above, null);
  assert.equal(note.text, "at line 9 of nodejs/Dockerfile");
  assert.equal(more.open, true);
  assert.equal(more.error, "", "not said twice");
  assert.deepEqual(
    more.failure.source.map(({ text }) => text),
    ["    8 │ COPY a b", "▶   9 │ RUN false"],
  );
  assert.notEqual(picture({ ...failed, failure: { ...failure, step: null } }).failure, null);
});

test("a running build says what it does and how to stop it; a finished one does not", () => {
  const running = build({ steps: [step({ n: 1, state: "running" })] });
  assert.deepEqual(picture(running).note, { now: "RUN npm ci", text: "to stop, press ■ or I, I" });
  assert.equal(picture({ ...running, outcome: "built" }).note, null);
});

test("a finished build's times do not go on", () => {
  const done = build({ outcome: "built", steps: [step({ n: 1, state: "executed", seconds: 1 })] });
  assert.deepEqual(picture(done, 60), picture(done, 0));
});

test("screen readers hear of steps, few by name and many by number, and never of log lines", () => {
  const at = (...states) =>
    build({ steps: states.map((state, i) => step({ n: i + 1, lines: [i + 1, i + 1], state })) });
  const log = { head: ["hello"], tail: [], dropped: 0, lines: 1 };
  const before = at("running", "waiting", "waiting", "waiting");
  assert.equal(announcement(null, before), "line 1, RUN: running.");
  assert.equal(announcement(before, before), "");
  const talks = { ...before, steps: before.steps.map((each) => ({ ...each, log })) };
  assert.equal(announcement(before, talks), "");
  assert.equal(
    announcement(before, at("executed", "running", "waiting", "waiting")),
    "line 1, RUN: ran. line 2, RUN: running.",
  );
  assert.equal(
    announcement(before, at("cached", "cached", "cached", "executed")),
    "3 steps: reused. 1 step: ran.",
  );
  assert.equal(
    announcement(before, build({ outcome: "built", hits: 3 })),
    "Built in 10.0 s. 3 of 3 steps reused.",
  );
});

test("a step says why, and a prediction that does not stand", () => {
  const why = (fields) => rowsOf(build({ steps: [step(fields)] }))[0].why;
  const reason = "package.json changed.";
  assert.equal(why({}), "");
  assert.equal(why({ state: "executed", fate: "rebuild", reason }), reason);
  assert.equal(why({ state: "executed", fate: "hit", reason }), `expected: reused · ${reason}`);
  assert.equal(why({ state: "waiting", fate: "rebuild", reason }), `expected: ran · ${reason}`);
  assert.equal(why({ state: "failed", fate: "rebuild", reason: "" }), "");
  assert.equal(why({ state: "cached", fate: "rebuild", reason: "" }), "expected: ran");
  assert.equal(why({ state: "cached", fate: "hit", reason: "" }), "");
  assert.equal(why({ state: "waiting", fate: "unknown", reason: "" }), "expected: unknown");
  assert.equal(why({ state: "cached", fate: "unknown", reason: "" }), "");
  assert.equal(why({ kind: "from", state: "executed", fate: "hit", reason: "" }), "");
});

test("a screen reader is told why with the step", () => {
  const before = build({ steps: [step({ n: 1, state: "waiting" })] });
  const reason = "package.json changed.";
  const after = build({ steps: [step({ n: 1, state: "executed", fate: "rebuild", reason })] });
  assert.equal(announcement(before, after), `line 1, RUN: ran. ${reason}`);
});

test("output keeps its colours, and what has none is one text", () => {
  const log = {
    head: ["one", "two", [["re", ""], ["d", "bold red"]], "three"],
    tail: [[["green", "green"]]],
    dropped: 0,
    lines: 5,
  };
  const shown = (state) =>
    rowsOf(build({ steps: [step({ n: 1, state, seconds: 1, log })] }))[0].more;
  assert.deepEqual(shown("executed").output, {
    head: ["one\ntwo\nre", { style: "bold red", text: "d" }, "\nthree\n"],
    gap: "",
    tail: [{ style: "green", text: "green" }, "\n"],
  });
  assert.equal(shown("running").latest, "green");
});
