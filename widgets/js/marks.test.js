// Which steps are marked, and what is said of it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { emptied, picture, toggled } from "./marks.js";
import { choose } from "./texts.js";

const steps = [6, 7, 8, 9, 10].map((n) => ({
  ...{ n, stage: "", lines: [n, n] },
  instruction: n === 9 ? "COPY app.js app.js" : "RUN true",
}));
const file = "nodejs/Dockerfile";
const shown = (marked, end = null, lost = false) => picture({ steps, file, marked, end }, lost);

test("a box is marked and unmarked; numbers stay in order", () => {
  assert.deepEqual(toggled(null, 9), [9]);
  assert.deepEqual(toggled([9], 10), [9, 10]);
  assert.deepEqual(toggled([9, 10], 6), [6, 9, 10]);
  assert.deepEqual(toggled([6, 9, 10], 9), [6, 10]);
});

test("without the last mark there is no guess: that nothing will run has to be said", () => {
  assert.equal(toggled([9], 9), null);
  assert.deepEqual(emptied(null), []);
  assert.equal(emptied([]), null);
});

test("steps and «nothing will run» are marked instead of each other", () => {
  assert.deepEqual(emptied([9, 10]), []);
  assert.deepEqual(toggled([], 9), [9]);
});

test("it says what has been marked so far", () => {
  assert.equal(shown(null).status, "Nothing is marked, so there is no guess yet.");
  assert.equal(shown([9, 10]).status, "You expect 2 of 5 steps to run: 9, 10.");
  assert.equal(shown([]).status, "You expect no step to run.");
  choose("de");
  assert.equal(shown([9]).status, "Ausgeführt wird deiner Vermutung nach: 9 (1 von 5 Schritten).");
  choose("en");
});

test("a row says where its step is, and what its box means once there is a guess", () => {
  const [row] = shown(null).rows;
  assert.deepEqual([row.step, row.stage, row.line], ["step 6", "", "line 6"]);
  assert.deepEqual([row.keyword, row.rest, row.told], ["RUN", " true", null]);
  const fates = ({ rows }) => rows.map(({ isMarked, told }) => [isMarked, told.fate]);
  assert.deepEqual(fates(shown([9])).slice(2, 4), [[false, "reused"], [true, "ran"]]);
  assert.deepEqual(new Set(fates(shown([])).map(([, fate]) => fate)), new Set(["reused"]));
  const staged = picture({ steps: [{ ...steps[0], stage: "build" }], file, marked: null, end: null });
  assert.equal(staged.rows[0].stage, "stage build");
});

test("at its end it stays as it was then, whatever has been marked since", () => {
  const built = shown([6], { why: "built", marked: [9] });
  assert.deepEqual(built.rows.filter((row) => row.isMarked).map((row) => row.n), [9]);
  assert.ok(built.isClosed);
  assert.equal(built.how, "");
  assert.match(built.status, /^You expect 1 of 5 steps to run: 9\. The build says/);
  assert.match(shown([6], { why: "built", marked: null }).status, /built without a guess/);
  assert.match(shown([6], { why: "replaced", marked: null }).status, /later guess/);
});

test("when nobody hears it any more, it says so", () => {
  const lost = shown([9], null, true);
  assert.ok(lost.isClosed);
  assert.match(lost.status, /Python was restarted/);
  assert.match(shown(null, { why: "built", marked: [9] }, true).status, /The build says/);
});
