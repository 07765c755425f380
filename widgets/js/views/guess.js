// The boxes of a guess. Each row is one label, so that all of it can be clicked.

import { language } from "../texts.js";
import { instruction, told } from "./parts.js";
import { h, show } from "./tree.js";

/** Draws a guess into an element. */
export class GuessPicture {
  #root;
  #used;
  #before = null;

  /**
   * @param {HTMLElement} root an empty element
   * @param {(n: number | null) => void} used called with the number of the step whose box was
   *   used, null for the box «nothing will run»
   */
  constructor(root, used) {
    this.#root = root;
    this.#used = used;
  }

  /** @param {object} picture from marks.js */
  show(picture) {
    this.#before = show(this.#root, this.#before, this.#section(picture));
  }

  #section({ question, how, rows, nothing, isClosed, status }) {
    return h(
      "section",
      { class: "layerlab ll-marks", lang: language() },
      h(
        "fieldset",
        { disabled: isClosed },
        h("legend", null, h("strong", null, question), " ", h("span", null, how)),
        h("ul", null, rows.map((row) => this.#row(row)), this.#nothing(nothing)),
      ),
      h("p", { class: "ll-guess", role: "status" }, status),
    );
  }

  #row(row) {
    const { n, step, stage, line, isMarked } = row;
    return h(
      "li",
      { key: n },
      h(
        "label",
        null,
        this.#box(n, isMarked),
        " ",
        h("span", { class: "ll-where" }, step),
        " ",
        h("span", { class: "ll-stagename" }, stage),
        " ",
        h("span", { class: "ll-where" }, line),
        " ",
        h("span", { class: "ll-instruction" }, instruction(row)),
        " ",
        // What the box says already, in other words.
        h("span", { class: "ll-outlook", "aria-hidden": "true" }, row.told && expected(row.told)),
      ),
    );
  }

  #nothing({ text, isMarked }) {
    const box = this.#box(null, isMarked);
    return h("li", { key: "nothing" }, h("label", null, box, " ", h("span", null, text)));
  }

  #box(n, checked) {
    return h("input", { type: "checkbox", checked, on: { change: () => this.#used(n) } });
  }
}

function expected({ fate, text }) {
  // By its key, since a sign that changes its colour is another one.
  return { ...told(fate, text), key: fate };
}
