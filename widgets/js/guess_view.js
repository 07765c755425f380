// The entry that anywidget loads: shows the steps with a box each, and sends which are marked.

import { emptied, picture, toggled } from "./marks.js";
import { choose } from "./texts.js";
import { GuessPicture } from "./views/guess.js";

const TRAITS = ["steps", "file", "marked", "end"];
const SHOWN = ["change:marked", "change:end"];

export default {
  render({ model, el }) {
    const view = new GuessPicture(el, use);
    let lost = false;

    function use(n) {
      const marked = model.get("marked");
      model.set("marked", n === null ? emptied(marked) : toggled(marked, n));
      model.save_changes();
    }

    function draw() {
      choose(model.get("language") || el.ownerDocument.documentElement.lang);
      view.show(picture(Object.fromEntries(TRAITS.map((name) => [name, model.get(name)])), lost));
    }

    // The kernel has gone: what is marked now would reach nobody.
    function lose() {
      lost = true;
      draw();
    }

    for (const event of SHOWN) {
      model.on(event, draw);
    }
    model.on("comm_live_update", lose);
    draw();
    return () => {
      for (const event of SHOWN) {
        model.off(event, draw);
      }
      model.off("comm_live_update", lose);
    };
  },
};
