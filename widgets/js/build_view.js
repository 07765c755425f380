// The entry that anywidget loads: listens to the `build` trait and draws it.

import { announcement, picture } from "./state.js";
import { choose } from "./texts.js";
import { BuildPicture } from "./views/build.js";
import { News } from "./views/news.js";

const TICK = 250; // Milliseconds: how often times go on while the engine is silent.

export default {
  render({ model, el }) {
    const news = new News();
    const view = new BuildPicture(el, news);
    let build = null;
    let received = 0;
    let timer;

    function draw() {
      view.show(picture(build, (performance.now() - received) / 1000));
    }

    function update() {
      const before = build;
      choose(model.get("language") || el.ownerDocument.documentElement.lang);
      build = model.get("build");
      received = performance.now();
      draw();
      news.say(announcement(before, build));
      if (build.outcome !== null) {
        pause();
      }
    }

    function pause() {
      clearInterval(timer);
    }

    model.on("change:build", update);
    // The kernel has gone: nobody knows whether the build goes on, so its clock must not.
    model.on("comm_live_update", pause);
    timer = setInterval(draw, TICK);
    update();
    return () => {
      pause();
      view.close();
      news.close();
      model.off("change:build", update);
      model.off("comm_live_update", pause);
    };
  },
};
