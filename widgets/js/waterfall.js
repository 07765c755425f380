// What keeps a picture clear however many steps there are: lanes of time, folds, gaps. Pure.
// `extension/layerlab/views/waterfall.py` says the same.

import { percent } from "./measures.js";
import { say } from "./texts.js";
import * as words from "./words.js";

const MANY = 40; // Steps of a stage from which on neighbours with one fate are folded.
const FOLD = 10; // Neighbours that are worth a fold; the last KEPT of them stay in sight.
const KEPT = 3;
const MAX_LANES = 12;
const FOLDED = new Set(["reused", "ran", "waiting", "unreached"]);
const DRAWN = new Set(["base", "ran", "running", "failed", "stopped", "reused"]);
const NARROW = 0.4; // Percent of the track below which a block is joined with the one before it.

/** The rows of a stage: `{kind: "free" | "fold" | "step", steps}`. */
export function chunks(steps) {
  const runs = [];
  for (const step of steps) {
    const last = runs.at(-1)?.at(-1);
    if (last && !Object.keys(step.skipped).length && kindOf(last) === kindOf(step)) {
      runs.at(-1).push(step);
    } else {
      runs.push([step]);
    }
  }
  return runs.flatMap((run) => {
    const kind = kindOf(run[0]);
    if (kind === "free") {
      return [{ kind, steps: run }];
    }
    const folds = steps.length > MANY && run.length >= FOLD && FOLDED.has(kind);
    const folded = folds ? run.length - KEPT : 0;
    const alone = run.slice(folded).map((step) => ({ kind: "step", steps: [step] }));
    return folded ? [{ kind: "fold", steps: run.slice(0, folded) }, ...alone] : alone;
  });
}

function kindOf(step) {
  return step.state === "free" ? "free" : words.fate(step.kind, step.state);
}

/** `118 steps reused`, and their lines. */
export function foldSummary(steps) {
  const fate = words.fate(steps[0].kind, steps[0].state);
  const count = words.counted(steps.length, "step");
  const numbers = steps.flatMap((step) => step.lines ?? []);
  return {
    fate,
    told: say("build.fold", { steps: count, fate: words.fateWord(fate) }),
    lines: numbers.length
      ? ` · ${words.atLines([Math.min(...numbers), Math.max(...numbers)])}`
      : "",
  };
}

/** What is left out before a step; "" where that is nothing. */
export function gap({ skipped }) {
  const states = Object.entries(skipped);
  if (!states.length) {
    return "";
  }
  const fates = states
    .map(([state, count]) => `${words.whole(count)} ${words.fateWord(words.fate("run", state))}`)
    .join(", ");
  const count = states.reduce((all, [, each]) => all + each, 0);
  return say("build.omitted", { steps: words.counted(count, "step"), fates });
}

/**
 * When each stage worked, one lane each, on one scale. Nothing where there is only one stage with
 * few steps: the bars beside the steps say it then.
 */
export function timeline(steps, elapsed) {
  const lanes = new Map();
  for (const step of steps) {
    const name = [step.stage, step.platform].filter(Boolean).join(" ");
    lanes.set(name, [...(lanes.get(name) ?? []), step]);
  }
  if (lanes.size < 2 && steps.length <= MANY) {
    return null;
  }
  const shown = [...lanes].slice(0, MAX_LANES);
  return {
    lanes: shown.map(([name, its]) => ({ name, blocks: blocks(its, elapsed) })),
    rest:
      lanes.size > MAX_LANES ? say("build.more-lanes", { count: `${lanes.size - MAX_LANES}` }) : "",
    from: words.duration(0),
    to: words.duration(elapsed),
  };
}

function blocks(steps, elapsed) {
  const found = [];
  const begun = steps.filter(({ offset }) => offset !== null);
  for (const step of begun.toSorted((a, b) => a.offset - b.offset)) {
    const fate = words.fate(step.kind, step.state);
    if (!DRAWN.has(fate)) {
      continue;
    }
    const start = step.offset;
    const end = start + (step.seconds ?? 0);
    const last = found.at(-1);
    const near = (elapsed * NARROW) / 100;
    if (last?.fate === fate && start - last.end <= near && end - start <= near) {
      last.end = Math.max(last.end, end);
    } else {
      found.push({ fate, start, end });
    }
  }
  return found.map(({ fate, start, end }) => ({
    fate,
    left: percent(start, elapsed),
    width: percent(end - start, elapsed),
  }));
}
