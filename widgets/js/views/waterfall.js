// Lanes of time as elements: the same that `extension/layerlab/views/waterfall.py` writes.

import { h } from "./tree.js";

/** For eyes only: the steps below say all. */
export function lanesOf({ lanes, rest, from, to }) {
  return h(
    "div",
    { class: "ll-timeline", "aria-hidden": "true" },
    lanes.map(({ name, blocks }) =>
      h(
        "span",
        { class: "ll-lane", key: name, memo: JSON.stringify([name, blocks]) },
        name ? h("span", { class: "ll-lanename" }, name) : null,
        h(
          "span",
          { class: "ll-lanetrack" },
          blocks.map(({ fate, left, width }) =>
            h("span", { class: `ll-block ll-${fate}`, style: `left:${left};width:${width}` }),
          ),
        ),
      ),
    ),
    rest ? h("span", { class: "ll-lanename" }, rest) : null,
    h("span", { class: "ll-axis" }, h("span", null, from), h("span", null, to)),
  );
}
