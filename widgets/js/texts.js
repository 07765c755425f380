// What views say, in the reader's language: the catalogues of `extension/layerlab/views/texts`.

import de from "../../extension/layerlab/views/texts/de.json" with { type: "json" };
import en from "../../extension/layerlab/views/texts/en.json" with { type: "json" };

const CATALOGUES = { en, de };
let chosen = "en";

/** Speak the language of a locale such as `de_DE`, or English where it has no catalogue. */
export function choose(locale) {
  const language = locale.split(/[-_]/)[0].toLowerCase();
  chosen = language in CATALOGUES ? language : "en";
}

/** The language that is spoken, as HTML's `lang`. */
export function language() {
  return chosen;
}

/** A text with its placeholders filled in; `number` chooses between one and other. */
export function say(key, values = {}, number = 2) {
  let text = CATALOGUES[chosen][key];
  if (typeof text !== "string") {
    text = number === 1 ? text.one : text.other;
  }
  return text.replaceAll(/\{(\w+)\}/g, (_, name) => values[name]);
}
