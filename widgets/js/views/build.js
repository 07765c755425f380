// The picture of a build as elements: the same that `extension/layerlab/views/html.py` writes,
// for the same style sheet.

import { say } from "../texts.js";
import { blocks, headings, instruction, stageRow, told } from "./parts.js";
import { h, show } from "./tree.js";
import { lanesOf } from "./waterfall.js";

const COLUMNS = ["", "column.step", "column.line", "column.instruction", "column.time", ""];
const COPIED = 2000; // Milliseconds for which the button says so.
const LATEST = ".ll-running, .ll-failed"; // Steps whose output is read from its end.

/** Draws pictures of one build into an element. */
export class BuildPicture {
  #root;
  #news;
  #before = null;
  #picture = null;
  #copied = false;
  #timer;
  #opened = {
    keys: new Set(), // of the folds that the reader has opened: others are drawn without contents
    toggle: (key, open) => {
      if (this.#opened.keys.has(key) !== open) {
        this.#opened.keys[open ? "add" : "delete"](key);
        this.#draw();
      }
    },
  };

  /**
   * @param {HTMLElement} root an empty element
   * @param {import("./news.js").News} news told when the command has been copied
   */
  constructor(root, news) {
    this.#root = root;
    this.#news = news;
    root.addEventListener("toggle", showLatest, true);
  }

  /** @param {object} picture from state.js */
  show(picture) {
    this.#picture = picture;
    this.#draw();
  }

  /** Nothing is drawn after this. */
  close() {
    clearTimeout(this.#timer);
    this.#root.removeEventListener("toggle", showLatest, true);
  }

  #draw() {
    const atEnd = [...this.#root.querySelectorAll(".ll-output")].filter(isAtEnd);
    this.#before = show(this.#root, this.#before, this.#section());
    for (const output of atEnd) {
      output.scrollTop = output.scrollHeight;
    }
  }

  #section() {
    const { failure, groups, own, warnings, command, guess, names, timeline } = this.#picture;
    return h(
      "section",
      { class: "layerlab ll-build", "aria-label": say("build.label", { name: names }) },
      header(this.#picture),
      h("p", { class: "ll-command" }, h("code", null, "$ ", command), this.#button()),
      guess && guessBox(guess),
      failure && failureBox(failure),
      timeline && lanesOf(timeline),
      groups.length ? stepsTable(this.#picture, this.#opened) : null,
      own && ownWork(own, this.#opened),
      warnings && warningList(warnings),
    );
  }

  #button() {
    const label = say(this.#copied ? "copied" : "copy");
    return h("button", { type: "button", on: { click: () => this.#copy() } }, label);
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#picture.command);
    } catch {
      // No clipboard without HTTPS, or it was refused: leave the command selected for Ctrl+C.
      getSelection().selectAllChildren(this.#root.querySelector(".ll-command code"));
      return;
    }
    this.#copied = true;
    this.#news.say(say("copied.said"));
    this.#draw();
    this.#timer = setTimeout(() => {
      this.#copied = false;
      this.#draw();
    }, COPIED);
  }
}

function showLatest({ target }) {
  const output = target.open && target.closest(LATEST)?.querySelector(".ll-output");
  if (output) {
    output.scrollTop = output.scrollHeight;
  }
}

function isAtEnd(output) {
  return output.scrollHeight > output.clientHeight
    ? output.scrollTop + output.clientHeight >= output.scrollHeight - 4
    : true;
}

function guessBox({ told, misses }) {
  return h(
    "div",
    { class: "ll-guess" },
    h("p", null, h("strong", null, told)),
    misses.length
      ? h(
          "ul",
          { class: "ll-items" },
          misses.map((miss) => h("li", null, miss)),
        )
      : null,
  );
}

function header({ outcome, names, by, ratio, strip, note }) {
  return h(
    "header",
    { class: "ll-header" },
    h("p", { class: "ll-outcome" }, told(outcome.fate, outcome.text, "strong")),
    h("p", { class: "ll-name" }, h("strong", null, names), ` ${by}`),
    h(
      "p",
      { class: "ll-ratio" },
      h("span", null, ratio),
      " ",
      blocks(strip),
    ),
    note &&
      h(
        "p",
        { class: "ll-note" },
        note.now ? [`${say("build.now")} `, h("code", { key: "now" }, note.now), " · "] : null,
        note.text,
      ),
  );
}

function stepsTable({ caption, groups }, opened) {
  return h(
    "table",
    { class: "ll-steps" },
    h("caption", null, caption),
    h(
      "thead",
      null,
      headings(COLUMNS),
    ),
    groups.map(({ key, stage, rows }) =>
      h(
        "tbody",
        { key },
        stage ? stageRow(stage, COLUMNS) : null,
        rows.flatMap((row) => rowsOf(row, opened)),
      ),
    ),
  );
}

function rowsOf(row, opened = null) {
  if (row.gap) {
    const told = h("td", { colspan: COLUMNS.length }, row.gap);
    return [h("tr", { class: "ll-gap", key: row.key }, told)];
  }
  if (row.fold) {
    return [foldRow(row.key, row.fold, opened)];
  }
  if (row.instructions) {
    return [cells(row, freeInstructions(row), null)];
  }
  const what = [
    row.platform ? [h("span", { class: "ll-platform" }, row.platform), " "] : null,
    instruction(row),
    row.why ? [" ", h("span", { class: "ll-why" }, row.why)] : null,
    row.progress && progress(row.progress),
  ];
  const { bar } = row;
  const length =
    bar && h("span", { class: "ll-length", style: `margin-left:${bar.left};width:${bar.width}` });
  return [cells(row, what, length), row.more && moreRow(row)];
}

/** Very many steps with one fate, behind a disclosure. */
function foldRow(key, { fate, told: text, lines, rows }, opened) {
  const isOpen = opened.keys.has(key);
  const toggle = ({ target }) => target.dataset.fold && opened.toggle(key, target.open);
  return h(
    "tr",
    { class: `ll-fold ll-${fate}`, key },
    h(
      "td",
      { colspan: COLUMNS.length },
      h(
        "details",
        { "data-fold": "fold", on: { toggle } },
        h("summary", null, told(fate, text), lines || null),
        isOpen
          ? h("table", { class: "ll-steps" }, h("tbody", null, rows().flatMap((row) => rowsOf(row))))
          : null,
      ),
    ),
  );
}

function cells({ key, fate, number, lines, time, ...rest }, what, bar) {
  return h(
    "tr",
    {
      class: `ll-step ll-${fate}`,
      key,
      memo: JSON.stringify([fate, number, lines, time, { ...rest, more: null }]),
    },
    h("td", { class: "ll-fate" }, told(fate)),
    h("td", { class: "ll-number" }, number),
    h("td", { class: "ll-line", "data-label": say("column.line") }, lines),
    h("td", { class: "ll-instruction" }, what),
    h("td", { class: "ll-time" }, time ?? ""),
    h("td", { class: "ll-bars" }, bar),
  );
}

function freeInstructions({ instructions, summary }) {
  if (instructions.length === 1) {
    return instruction(instructions[0]);
  }
  return h(
    "details",
    null,
    h("summary", null, h("code", null, summary)),
    h(
      "ul",
      { class: "ll-items" },
      instructions.map((each) => h("li", null, each.where, instruction(each))),
    ),
  );
}

function progress({ value, max, text }) {
  const bar = max ? h("progress", { value, max, "aria-label": say("build.moved") }) : null;
  return h("span", { class: "ll-progress" }, bar, " ", text);
}

function moreRow({ key, fate, more }) {
  const half = COLUMNS.length / 2;
  return h(
    "tr",
    { class: `ll-more ll-${fate}`, key: `more:${key}`, memo: JSON.stringify([fate, more]) },
    h("td", { colspan: half }),
    h(
      "td",
      { colspan: half },
      h(
        "details",
        { open: more.open },
        h(
          "summary",
          null,
          more.summary,
          more.latest ? [" ", h("code", { key: "latest", class: "ll-latest" }, more.latest)] : null,
        ),
        more.failure && failureBox(more.failure),
        more.error ? h("p", { class: "ll-message" }, more.error) : null,
        more.whole ? h("pre", { class: "ll-whole" }, more.whole) : null,
        more.items.length ? partList(more.items) : null,
        more.output && output(more.output),
      ),
    ),
  );
}

function partList(items) {
  return h(
    "ul",
    { class: "ll-items" },
    items.map(({ name, text }) =>
      h("li", null, h("code", null, name), text ? ` ${text}` : null),
    ),
  );
}

function output({ head, gap, tail }) {
  return h(
    "pre",
    { class: "ll-output", tabindex: "0", role: "group", "aria-label": say("build.output.label") },
    head.map(piece),
    gap ? h("em", { key: "gap" }, gap) : null,
    tail.map(piece),
  );
}

function piece(part) {
  const classes = ({ style }) => style.split(" ").map((word) => `ll-as-${word}`).join(" ");
  return typeof part === "string" ? part : h("span", { class: classes(part) }, part.text);
}

function failureBox({ where, message, hint, source }) {
  return h(
    "div",
    { class: "ll-failure" },
    h("p", { class: "ll-message" }, where ? [h("strong", null, where), " "] : null, message),
    source.length
      ? h(
          "pre",
          { class: "ll-frame", tabindex: "0", role: "group", "aria-label": say("dockerfile") },
          source.map(({ text, marked }) => [h(marked ? "mark" : "span", null, text), "\n"]),
        )
      : null,
    hint ? h("p", { class: "ll-hint" }, h("strong", null, say("build.try")), ` ${hint}`) : null,
  );
}

function ownWork({ summary, open, rows }, opened) {
  return h(
    "details",
    { class: "ll-own", open },
    h("summary", null, summary),
    h("table", { class: "ll-steps" }, h("tbody", null, rows.flatMap((row) => rowsOf(row, opened)))),
  );
}

function warningList({ summary, items }) {
  return h(
    "details",
    { class: "ll-warnings" },
    h("summary", null, summary),
    h(
      "ul",
      { class: "ll-items" },
      items.map(({ where, message, url }) =>
        h("li", null, where, message, url ? [" ", h("code", null, url)] : null),
      ),
    ),
  );
}
