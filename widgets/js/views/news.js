// What screen readers are told, at the end of the page and not in the view: when a build is over
// its view goes at once, and a live region that goes takes its last words with it.

const LINGER = 5000; // Milliseconds that the last words stay.

const HIDDEN = {
  position: "fixed",
  width: "1px",
  height: "1px",
  overflow: "hidden",
  clipPath: "inset(50%)",
  whiteSpace: "nowrap",
};

/** A polite live region of one view. */
export class News {
  #region = document.createElement("p");

  constructor() {
    this.#region.setAttribute("role", "status");
    this.#region.className = "layerlab-news";
    Object.assign(this.#region.style, HIDDEN);
    document.body.append(this.#region);
  }

  /** @param {string} text empty when there is no news: what was said last then stays */
  say(text) {
    if (text) {
      this.#region.textContent = text;
    }
  }

  /** Goes when it has been heard. */
  close() {
    setTimeout(() => this.#region.remove(), LINGER);
  }
}
