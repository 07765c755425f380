// Which steps a learner has marked, and what there is to say of it. Pure: no DOM.
//
// `marked` is a sorted list of step numbers, [] when the box «nothing will run» is marked, and null
// when no box is: then there is no guess.

import { say } from "./texts.js";
import { atLines, splitKeyword } from "./words.js";

/** `marked` after the box of step `n` has been used. */
export function toggled(marked, n) {
  const others = (marked ?? []).filter((other) => other !== n);
  const now = marked?.includes(n) ? others : [...others, n].sort((one, other) => one - other);
  return now.length ? now : null;
}

/** `marked` after the box «nothing will run» has been used. */
export function emptied(marked) {
  return isEmpty(marked) ? null : [];
}

/**
 * What to show.
 * @param {object} guess `steps` and `file`; `marked`; `end` as in `layerlab/model/wire_guess.py`
 * @param {boolean} lost nobody hears what is marked here any more
 */
export function picture({ steps, file, marked: latest, end }, lost = false) {
  const marked = end ? end.marked : latest;
  const isClosed = lost || Boolean(end);
  return {
    question: say("mark.question", { file }),
    how: isClosed ? "" : say("mark.how"),
    rows: steps.map((step) => ({
      n: step.n,
      step: say("mark.step", { n: `${step.n}` }),
      stage: step.stage ? `${say("build.stage")} ${step.stage}` : "",
      line: atLines(step.lines),
      ...splitKeyword(step.instruction),
      isMarked: Boolean(marked?.includes(step.n)),
      told: marked && expectation(marked.includes(step.n)),
    })),
    nothing: { text: say("mark.nothing"), isMarked: isEmpty(marked) },
    isClosed,
    status: status(steps, marked, end, lost),
  };
}

function isEmpty(marked) {
  return marked?.length === 0;
}

function expectation(isMarked) {
  return isMarked
    ? { fate: "ran", text: say("forecast.rebuild") }
    : { fate: "reused", text: say("forecast.hit") };
}

function status(steps, marked, end, lost) {
  if (end?.why === "replaced") {
    return say("mark.replaced");
  }
  if (end) {
    return marked ? `${sum(steps, marked)} ${say("mark.built")}` : say("mark.unguessed");
  }
  return lost ? say("mark.lost") : sum(steps, marked);
}

function sum(steps, marked) {
  if (!marked) {
    return say("mark.unmarked");
  }
  const of = steps.length;
  const numbers = { count: `${marked.length}`, of: `${of}`, steps: marked.join(", ") };
  return marked.length ? say("mark.some", numbers, of) : say("mark.no-step");
}
