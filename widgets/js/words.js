// The words, signs and numbers of every picture of a build.
// `extension/layerlab/views/words.py` says the same in the same words; `tests/widgets` compares.

import { say } from "./texts.js";

/** The sign of each fate. Its word: `fateWord`. */
export const SIGNS = {
  base: "◆",
  reused: "✓",
  ran: "●",
  running: "…",
  waiting: "·",
  failed: "✗",
  stopped: "■",
  unreached: "–",
  free: "○",
};

/** What became of a step, in one or two words. */
export function fateWord(fate) {
  return say(`fate.${fate}`);
}

/** The fate of any step but FROM, by its state on the wire. */
const FATE_OF_STATE = {
  waiting: "waiting",
  running: "running",
  cached: "reused",
  executed: "ran",
  failed: "failed",
  cancelled: "stopped",
  "not reached": "unreached",
  free: "free",
};

/** How a build ended: the fate that gives it sign and colour. */
const OUTCOMES = { built: "reused", failed: "failed", cancelled: "stopped" };

/** What became of a step. */
export function fate(kind, state) {
  const found = FATE_OF_STATE[state];
  return kind === "from" && (found === "reused" || found === "ran") ? "base" : found;
}

/** The fates that fulfil each prediction on the wire; any is right where nothing was known. */
const FULFILLED = {
  hit: ["reused"],
  rebuild: ["ran", "running", "failed", "stopped"],
  unknown: ["reused", "ran", "running", "failed", "stopped"],
};
const NEVER_EXPECTED = ["base", "free", "unreached"];

/** `expected: reused`, while a step waits or when it went otherwise; else nothing. */
export function expected(prediction, became) {
  const fulfilled = FULFILLED[prediction];
  const silent = !fulfilled || NEVER_EXPECTED.includes(became) || fulfilled.includes(became);
  return silent ? "" : say(`expected.${prediction}`);
}

/** What is said beneath a step: a prediction that does not stand, and why the step's fate. */
export function why({ fate: prediction, reason }, became) {
  return [expected(prediction, became), reason].filter(Boolean).join(" · ");
}

/** `{fate: "reused", text: "Built in 12.6 s"}` */
export function outcome(build, elapsed) {
  return {
    fate: OUTCOMES[build.outcome] ?? "running",
    text: say(`outcome.${build.outcome ?? "running"}`, { time: duration(elapsed) }),
  };
}

/** A number with some decimals, as the reader's language writes it. */
export function number(value, digits = 1) {
  return value.toFixed(digits).replace(".", say("decimal"));
}

/** `3.2 s`, `2 min 05 s`, `1 h 02 min` */
export function duration(seconds) {
  if (seconds < 60) {
    return `${number(Math.min(seconds, 59.9))} s`; // 59.96 would become 60.0 s.
  }
  const minutes = Math.floor(seconds / 60);
  const two = (value) => String(value).padStart(2, "0");
  return minutes < 60
    ? `${minutes} min ${two(Math.floor(seconds) % 60)} s`
    : `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** Bytes in decimal units, as the CLIs show a download: `12.3 MB`, `12.3 of 47.3 MB` */
export function size(count, of = null) {
  const largest = Math.max(count, of ?? 0);
  const power = [1e3, 999.95e3, 999.95e6].filter((limit) => largest >= limit).length;
  const told = (value) => (power ? number(value / 1000 ** power) : String(value));
  const values =
    of === null ? told(count) : say("size.of", { current: told(count), total: told(of) });
  return `${values} ${["B", "kB", "MB", "GB"][power]}`;
}

/** `6.3 MiB`, always in this unit. */
export function mebibytes(size) {
  return `${number(size / 2 ** 20)} MiB`;
}

/** `12,345` */
export function whole(value) {
  return value.toLocaleString("en-US").replaceAll(",", say("thousands"));
}

/** `1 line`, `12,345 lines`; `what` is one of the catalogue's `count.…`. */
export function counted(value, what) {
  return say(`count.${what}`, { count: whole(value) }, value);
}

/** `4 of 5 steps reused` */
export function ratio(hits, countable) {
  return countable
    ? say("ratio", { hits: `${hits}`, count: whole(countable) }, countable)
    : say("ratio.none");
}

/** How well a guess went, kindly. */
export function guessed(right, of) {
  if (!of) {
    return say("guess.none");
  }
  const steps = counted(of, "step");
  return say(right === of ? "guess.right" : "guess.wrong", { right: `${right}`, steps });
}

/** Dockerfile lines: `7`, `8–11` */
export function span([first, last]) {
  return first === last ? `${first}` : `${first}–${last}`;
}

/** `line 7`, `lines 8–11` */
export function atLines(lines) {
  return say("lines", { span: span(lines) }, lines[1] - lines[0] + 1);
}

/** A name with its digests cut to twelve digits, as the CLIs show them. */
export function short(name) {
  return name.replaceAll(/(sha256:[0-9a-f]{12})[0-9a-f]{52}/g, "$1");
}

/** An instruction's first word, and what follows it. */
export function splitKeyword(text) {
  const match = /^\s*([A-Za-z]+)(?=\s|$)/.exec(text);
  return match ? { keyword: match[1], rest: text.slice(match[0].length) } : { keyword: "", rest: text };
}

/** `LABEL ×3, ENV`: what several instructions are. */
export function keywords(texts) {
  const found = new Map();
  for (const text of texts) {
    const name = splitKeyword(text).keyword.toUpperCase() || text;
    found.set(name, (found.get(name) ?? 0) + 1);
  }
  return [...found].map(([name, count]) => (count === 1 ? name : `${name} ×${count}`)).join(", ");
}
