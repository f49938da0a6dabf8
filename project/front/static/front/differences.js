// What was struck out of a text and what was added to it.
import { html } from "./ui.js";

/** @typedef {["span" | "del" | "ins", string]} Part */

// Of longer texts lines are compared, not words, and what is still too much is shown whole.
const WORD_BY_WORD = 8000;
const MOST_PAIRS = 4_000_000;
// Of a longer stretch that stayed the same, only the ends are shown.
const CONTEXT = 80;

/** @param {{ before: string, after: string, isList?: boolean }} props `isList`: of lines that are moved */
export const Difference = ({ before, after, isList = false }) =>
  html`<span class="lines">${differences(before, after, isList).map(([kind, text]) => {
    const isLong = kind === "span" && text.length > 3 * CONTEXT;
    return html`<${kind}>${isLong ? `${text.slice(0, CONTEXT)} … ${text.slice(-CONTEXT)}` : text}<//>`;
  })}</span>`;

/** By the longest sequence that both have. @param {string} before @param {string} after @param {boolean} byLines */
function differences(before, after, byLines) {
  const isLong = byLines || Math.max(before.length, after.length) > WORD_BY_WORD;
  const pieces = isLong ? /.*\n|.+/g : /\S+|\s+/g;
  const old = before.match(pieces) ?? [];
  const now = after.match(pieces) ?? [];
  /** @type {Part[]} */
  const parts = [];
  if (old.length * now.length > MOST_PAIRS) return [...parts, ["del", before], ["ins", after]];
  const longest = Array.from({ length: old.length + 1 }, () => new Uint16Array(now.length + 1));
  /** @param {number} i @param {number} j */
  const at = (i, j) => longest[i]?.[j] ?? -1;
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      const found = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
      /** @type {Uint16Array} */ (longest[i])[j] = found;
    }
  }
  for (let i = 0, j = 0; i < old.length || j < now.length;) {
    const isSame = i < old.length && old[i] === now[j];
    const kind = isSame ? "span" : at(i + 1, j) >= at(i, j + 1) ? "del" : "ins";
    const text = `${kind === "ins" ? now[j++] : old[i++]}`;
    if (isSame) j++;
    if (parts.at(-1)?.[0] === kind) parts[parts.length - 1][1] += text;
    else parts.push([kind, text]);
  }
  return parts;
}
