// From the snapshot that Python sends (`layerlab/model/wire.py`) to what is on the screen:
// rows, words, lengths of bars. Pure: no DOM, no clock.

import { percent, strip } from "./measures.js";
import { say } from "./texts.js";
import { chunks, foldSummary, gap, timeline } from "./waterfall.js";
import * as words from "./words.js";

const LONG = 240; // Characters of an instruction that a row has room for.
const TIMED = new Set(["base", "ran", "running", "failed", "stopped"]);
const SPOKEN = new Set(["base", "reused", "ran", "running", "failed", "stopped"]);
const SPOKEN_ONE_BY_ONE = 3;

/**
 * What to show of a build.
 * @param {object} build the snapshot
 * @param {number} later seconds since the snapshot was made: a silent step's time goes on
 */
export function picture(build, later = 0) {
  const seen = build.outcome === null ? { ...build, elapsed: build.elapsed + later } : build;
  const isOwn = (step) => step.kind === "internal" || step.kind === "export";
  const own = build.steps.filter(isOwn);
  const placed = build.steps.some((step) => step.id === build.failure?.step);
  return {
    outcome: words.outcome(build, seen.elapsed),
    names: build.tags.join(", ") || say("no-name"),
    by: say("build.with", { engine: build.engine }),
    ratio: words.ratio(build.hits, build.countable),
    strip: strip(build.strip),
    note: note(build),
    command: build.command,
    guess: build.guess && {
      told: words.guessed(build.guess.right, build.guess.of),
      misses: build.guess.misses,
    },
    failure: build.failure && !placed ? failure(build) : null,
    timeline: timeline(
      build.steps.filter((step) => !isOwn(step)),
      seen.elapsed,
    ),
    caption: say("build.steps", { file: build.dockerfile || say("dockerfile") }),
    groups: stages(build.steps.filter((step) => !isOwn(step))).map(({ stage, steps }) => ({
      key: `${steps[0].id}`,
      stage,
      rows: rows(seen, steps, later),
    })),
    own: own.length
      ? {
          summary: say("build.own", { steps: words.counted(own.length, "step") }),
          open: own.some((step) => step.state === "failed"),
          rows: rows(seen, own, later),
        }
      : null,
    warnings: build.warnings.length
      ? {
          summary: say(
            "build.remarks",
            { count: words.whole(build.warnings.length), engine: build.engine },
            build.warnings.length,
          ),
          items: build.warnings.map((warning) => ({
            where: warning.lines ? `${words.atLines(warning.lines)}: ` : "",
            message: warning.message,
            url: warning.url ?? "",
          })),
        }
      : null,
  };
}

/** What a screen reader is told when one snapshot follows another: steps, never log lines. */
export function announcement(before, after) {
  if (after.outcome !== null && before?.outcome !== after.outcome) {
    const told = words.outcome(after, after.elapsed).text;
    const ratio = words.ratio(after.hits, after.countable);
    const lines = after.failure?.lines;
    return lines
      ? say("build.spoken", { outcome: told, lines: words.atLines(lines), ratio })
      : `${told}. ${ratio}.`;
  }
  const old = new Map(before?.steps.map((step) => [step.id, fateOf(step)]));
  const changed = after.steps.filter(
    (step) => step.lines && SPOKEN.has(fateOf(step)) && old.get(step.id) !== fateOf(step),
  );
  if (changed.length <= SPOKEN_ONE_BY_ONE) {
    return changed
      .map((step) => `${spoken(step)}: ${words.fateWord(fateOf(step))}. ${step.reason ?? ""}`.trim())
      .join(" ");
  }
  const fates = changed.map(fateOf);
  return [...new Set(fates)]
    .map((fate) => {
      const count = fates.filter((other) => other === fate).length;
      return `${words.counted(count, "step")}: ${words.fateWord(fate)}.`;
    })
    .join(" ");
}

function spoken(step) {
  const { keyword } = words.splitKeyword(step.instruction);
  return `${words.atLines(step.lines)}, ${keyword || say("column.step")}`;
}

function fateOf(step) {
  return words.fate(step.kind, step.state);
}

/** Where to look: the line that failed, or the step that runs and how to stop it. */
function note(build) {
  if (build.failure?.lines) {
    const lines = words.atLines(build.failure.lines);
    return { now: "", text: say("build.at", { lines, file: build.dockerfile || "Dockerfile" }) };
  }
  if (build.outcome !== null) {
    return null;
  }
  const running = build.steps.filter((step) => fateOf(step) === "running");
  return { now: running.at(-1)?.instruction ?? "", text: say("build.stop") };
}

function stages(steps) {
  const found = [];
  for (const step of steps) {
    if (found.at(-1)?.stage !== step.stage) {
      found.push({ stage: step.stage, steps: [] });
    }
    found.at(-1).steps.push(step);
  }
  return found;
}

function rows(build, steps, later) {
  return chunks(steps).flatMap(({ kind, steps: group }) => {
    const [first] = group;
    const left = gap(first);
    const before = left ? [{ key: `gap:${first.id}`, gap: left }] : [];
    if (kind === "free") {
      return [...before, freeRow(group)];
    }
    const shown = () => group.map((step) => stepRow(build, step, later));
    if (kind === "fold") {
      // A function: what is folded need not be made four times a second.
      const fold = { ...foldSummary(group), rows: shown };
      return [...before, { key: `fold:${first.id}`, fold }];
    }
    return [...before, ...shown()];
  });
}

/** Metadata in one quiet line, whatever there is of it. */
function freeRow(steps) {
  const numbers = steps.flatMap((step) => step.lines ?? []);
  const instructions = steps.map((step) => ({
    where: step.lines ? `${words.atLines(step.lines)}: ` : "",
    ...words.splitKeyword(step.instruction),
  }));
  return {
    key: `free:${steps[0].id}`,
    fate: "free",
    number: "",
    lines: numbers.length ? words.span([Math.min(...numbers), Math.max(...numbers)]) : "",
    instructions,
    summary: words.keywords(steps.map((step) => step.instruction)),
  };
}

function stepRow(build, step, later) {
  const fate = fateOf(step);
  const running = fate === "running" && build.outcome === null;
  const seconds = step.seconds === null ? null : step.seconds + (running ? later : 0);
  const timed = seconds !== null && TIMED.has(fate) && (fate !== "base" || seconds >= 0.05);
  return {
    key: step.id,
    fate,
    number: step.n ? `${step.n}/${step.m}` : "",
    lines: step.lines ? words.span(step.lines) : "",
    platform: step.platform ?? "",
    ...words.splitKeyword(step.instruction),
    why: words.why(step, fate),
    progress: fate === "running" ? progress(step.items) : null,
    time: timed ? words.duration(seconds) : "",
    bar: timed ? timeBar(step.offset ?? 0, seconds, build.elapsed) : null,
    more: more(build, step),
  };
}

function timeBar(offset, seconds, elapsed) {
  return {
    left: percent(offset, elapsed),
    width: percent(Math.min(seconds, elapsed - offset), elapsed),
  };
}

/** What else there is to know of a step; null where that is nothing. */
function more(build, step) {
  const failed = build.failure?.step === step.id;
  const error = step.state === "failed" && !failed ? (step.error ?? "") : "";
  const hasLog = step.log.head.length + step.log.tail.length > 0;
  const whole = step.instruction.length > LONG ? step.instruction : "";
  const items = toldItems(step);
  if (!failed && !error && !hasLog && !items.length && !whole) {
    return null;
  }
  const running = fateOf(step) === "running";
  return {
    open: failed || error !== "",
    summary: summary(step, items),
    latest: running && hasLog ? plain([...step.log.head, ...step.log.tail].at(-1)) : "",
    failure: failed ? failure(build) : null,
    error,
    whole,
    items: items.map((item) => ({ name: words.short(item.name), text: bytes(item) })),
    output: hasLog ? output(step.log, build.log_file) : null,
  };
}

/** Parts worth telling of: that a base was looked up and moved nothing is not. */
function toldItems({ items }) {
  const { current, total } = moved(items);
  return current || total || items.some((item) => !item.done) ? items : [];
}

function summary(step, items) {
  const told = [];
  const lines = Math.max(step.log.lines, step.log.head.length + step.log.tail.length);
  if (step.state === "failed") {
    told.push(say("build.wrong"));
  }
  if (lines) {
    told.push(say("build.output", { lines: words.counted(lines, "line") }));
  }
  if (items.length) {
    const count = words.counted(items.length, "part");
    const { current } = moved(items);
    told.push(current ? `${count}, ${words.size(current)}` : count);
  }
  return told.join(" · ") || say("build.whole");
}

function output(log, file) {
  const lines = words.counted(log.dropped, "line");
  const told = file ? say("build.gap.file", { lines, file }) : say("build.gap", { lines });
  const gap = log.dropped ? `${told}\n` : "";
  return { head: coloured(log.head), gap, tail: coloured(log.tail) };
}

/** A line is a text, or pairs of text and style where it has colours. */
function plain(line) {
  return typeof line === "string" ? line : line.map(([text]) => text).join("");
}

/** Texts and `{style, text}`; what has no style is one text, however many lines it is. */
function coloured(lines) {
  const found = [];
  let open = "";
  for (const line of lines) {
    for (const [text, style] of typeof line === "string" ? [[line, ""]] : line) {
      if (style) {
        found.push(open, { style, text });
        open = "";
      } else {
        open += text;
      }
    }
    open += "\n";
  }
  return [...found, open].filter((part) => part !== "");
}

function failure(build) {
  const { lines, message, hint, source } = build.failure;
  const file = build.dockerfile || "Dockerfile";
  return {
    where: lines ? `${file}, ${words.atLines(lines)}:` : "",
    message,
    hint,
    source: source.map(({ number, text, marked }) => ({
      text: `${marked ? "▶" : " "} ${String(number).padStart(3)} │ ${text}`,
      marked,
    })),
  };
}

/**
 * Bytes moved and bytes to move by all parts together; total is null while one is unknown.
 * What was done without moving any (BuildKit's «resolve») is no such unknown.
 */
function moved(items) {
  const sum = (field) => items.reduce((all, item) => all + (item[field] ?? 0), 0);
  const isKnown = ({ current, total, done }) => total !== null || (done && !current);
  const known = items.every(isKnown) && sum("total") > 0;
  return { current: sum("current"), total: known ? sum("total") : null };
}

function progress(items) {
  const { current, total } = moved(items);
  if (!current && !total) {
    return null;
  }
  return { value: current, max: total, text: words.size(current, total) };
}

function bytes({ current, total, done }) {
  if (!current && !total) {
    return "";
  }
  return done || total === null
    ? words.size(done ? Math.max(current, total ?? 0) : current)
    : words.size(current, total);
}
