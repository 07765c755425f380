// The pieces that the pictures are made of, as `extension/layerlab/views/parts.py` makes them.

import { say } from "../texts.js";
import { SIGNS, fateWord } from "../words.js";
import { h } from "./tree.js";

/** A fate as sign and word, or as sign and `text`. The sign is for eyes only. */
export function told(fate, text = fateWord(fate), name = "span") {
  return h(
    name,
    { class: `ll-told ll-${fate}` },
    h("span", { class: "ll-sign", "aria-hidden": "true" }, SIGNS[fate]),
    ` ${text}`,
  );
}

/** One block an instruction: it shows where reuse ended. */
export function blocks(strip) {
  return h(
    "span",
    { class: "ll-strip", "aria-hidden": "true" },
    strip.map(({ fate, width }) => h("span", { class: `ll-${fate}`, style: `width:${width}` })),
  );
}

/** Column headings by their keys in the catalogue; "" for none. */
export function headings(names) {
  return h(
    "tr",
    null,
    names.map((name) => (name ? h("th", { scope: "col" }, say(name)) : h("td"))),
  );
}

/** The row above the steps of a stage, across a table of these columns. */
export function stageRow(stage, columns) {
  const name = [`${say("build.stage")} `, h("strong", null, stage)];
  const heading = h("th", { colspan: columns.length, scope: "rowgroup" }, name);
  return h("tr", { class: "ll-stage" }, heading);
}

/** An instruction with its keyword emphasised. */
export function instruction({ keyword, rest }) {
  return h("code", null, keyword ? h("b", null, keyword) : null, rest);
}
