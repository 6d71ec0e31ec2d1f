/** The small history in a server's row: as a path, and in words. Pure. */
import { countWords, rateWords } from "./words.js";

/**
 * A path through these values in a box; the newest is at the right end.
 * @param {readonly number[]} values
 * @param {{ width: number, height: number, lengthMax: number }} box
 * @returns {string}
 */
export function sparkPath(values, { width, height, lengthMax }) {
  const max = Math.max(1, ...values);
  const step = width / (lengthMax - 1);
  return values.map((value, place) => {
    const x = width - (values.length - 1 - place) * step;
    const y = height - 2 - value / max * (height - 4);
    return `${place === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
  }).join("");
}

/**
 * The same path, closed along the bottom of the box.
 * @param {string} path  as {@linkcode sparkPath} makes it
 * @param {readonly number[]} values
 * @param {{ width: number, height: number, lengthMax: number }} box
 * @returns {string}
 */
export function sparkArea(path, values, { width, height, lengthMax }) {
  if (values.length < 2) return "";
  const from = width - (values.length - 1) * width / (lengthMax - 1);
  return `${path}L${width} ${height}L${from.toFixed(1)} ${height}Z`;
}

/**
 * The values in words.
 * @param {readonly number[]} values  one for each second
 * @returns {string}
 */
export function sparkWords(values) {
  if (values.length === 0) return "no history";
  const now = rateWords(values.at(-1) ?? 0);
  const most = rateWords(Math.max(...values));
  return `${now} per second now, at most ${most} in the last ${countWords(values.length)} seconds`;
}
