// Lengths as CSS has them. Pure.

import * as words from "./words.js";

const BLOCKS = 30; // Steps that a strip shows one by one.

/** A share, kept between 0 and 100 %. */
export function percent(part, whole) {
  const share = whole > 0 ? (100 * part) / whole : 0;
  return `${Math.min(100, Math.max(0, share)).toFixed(2)}%`;
}

/** One block an instruction; of very many, neighbours with one fate are joined. */
export function strip(states) {
  const blocks = [];
  for (const fate of states.map((state) => words.fate("run", state))) {
    const last = blocks.at(-1);
    if (last?.fate === fate && states.length > BLOCKS) {
      last.count += 1;
    } else {
      blocks.push({ fate, count: 1 });
    }
  }
  return blocks.map(({ fate, count }) => ({ fate, width: percent(count, states.length) }));
}
