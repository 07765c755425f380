// Lanes of time, folds and gaps.

import assert from "node:assert/strict";
import { test } from "node:test";

import { chunks, foldSummary, gap, timeline } from "./waterfall.js";

const step = (fields) => ({
  ...{ id: "a", kind: "run", stage: "", platform: null, state: "executed", lines: [1, 1] },
  ...{ offset: null, seconds: null, skipped: {} },
  ...fields,
});
const many = (count, fields) => Array.from({ length: count }, (_, n) => step({ id: `${n}`, ...fields }));
const shape = (steps) => chunks(steps).map(({ kind, steps: its }) => `${kind} ${its.length}`);

test("a few steps are shown one by one, however alike they are", () => {
  assert.deepEqual(shape(many(40, {})), Array(40).fill("step 1"));
});

test("of many, neighbours with one fate are folded, and the last of them stay in sight", () => {
  const steps = [...many(30, { state: "cached" }), step({ state: "running" }), ...many(30, { state: "waiting" })];
  assert.deepEqual(shape(steps), [
    ...["fold 27", "step 1", "step 1", "step 1"],
    "step 1",
    ...["fold 27", "step 1", "step 1", "step 1"],
  ]);
});

test("a failure is never folded, and a few neighbours are not worth a fold", () => {
  const steps = [...many(20, { state: "failed" }), ...many(9, {}), ...many(20, { state: "waiting" })];
  assert.deepEqual(shape(steps).filter((one) => one !== "step 1"), ["fold 17"]);
});

test("metadata is one row, and a gap ends it", () => {
  const free = many(3, { state: "free", kind: "metadata" });
  free[2].skipped = { waiting: 5 };
  assert.deepEqual(shape(free), ["free 2", "free 1"]);
});

test("a fold says what is in it, and a gap what is not there", () => {
  const steps = [step({ lines: [3, 4] }), step({ lines: [9, 12] }), step({ lines: null })];
  const { told, lines, fate } = foldSummary(steps);
  assert.deepEqual([told, lines, fate], ["3 steps ran", " · lines 3–12", "ran"]);
  assert.equal(gap(step({})), "");
  const skipped = { cached: 1200, waiting: 1 };
  assert.equal(
    gap(step({ skipped })),
    "… 1,201 steps not shown one by one: 1,200 reused, 1 waiting",
  );
});

test("stages that work at once have lanes side by side on one scale", () => {
  const steps = [
    step({ stage: "a", offset: 0, seconds: 4 }),
    step({ stage: "a", offset: 4, seconds: 6, state: "running" }),
    step({ stage: "b", offset: 2, seconds: 3 }),
    step({ stage: "b", state: "waiting" }),
  ];
  const { lanes, from, to, rest } = timeline(steps, 10);
  assert.deepEqual(lanes, [
    {
      name: "a",
      blocks: [
        { fate: "ran", left: "0.00%", width: "40.00%" },
        { fate: "running", left: "40.00%", width: "60.00%" },
      ],
    },
    { name: "b", blocks: [{ fate: "ran", left: "20.00%", width: "30.00%" }] },
  ]);
  assert.deepEqual([from, to, rest], ["0.0 s", "10.0 s", ""]);
});

test("one stage with few steps needs no lanes, a long one and many are bounded", () => {
  assert.equal(timeline(many(40, { offset: 0, seconds: 1 }), 10), null);
  const long = Array.from({ length: 2000 }, (_, n) => step({ offset: n / 100, seconds: 0.01 }));
  assert.equal(timeline(long, 20).lanes[0].blocks.length, 1);
  const lanes = Array.from({ length: 20 }, (_, n) => step({ stage: `s${n}` }));
  const shown = timeline(lanes, 1);
  assert.deepEqual([shown.lanes.length, shown.rest], [12, "… and 8 more"]);
});
