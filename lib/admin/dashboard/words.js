/** Numbers and times as people read them. Pure. */

const COUNT = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const FINE = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Between a number and its unit, which no line break is to part. */
const GAP = "\u00a0";

/** What stands where a number is not known. */
export const UNKNOWN = "–";

/**
 * A whole number: 12,345.
 * @param {number} value
 * @returns {string}
 */
export function countWords(value) {
  return COUNT.format(value);
}

/**
 * So many in a second: 0.4, 12.5, 1,234.
 * @param {number} value
 * @returns {string}
 */
export function rateWords(value) {
  return value === 0 || value >= 99.95 ? COUNT.format(value) : FINE.format(value);
}

/**
 * A short time: 0.4 ms, 12 ms, 1.2 s; null is not known.
 * @param {number | null | undefined} ms
 * @returns {string}
 */
export function timeWords(ms) {
  if (ms === null || ms === undefined) return UNKNOWN;
  if (ms === 0) return `0${GAP}ms`;
  if (ms < 9.95) return `${FINE.format(ms)}${GAP}ms`;
  if (ms < 999.5) return `${COUNT.format(ms)}${GAP}ms`;
  return ms < 9950 ? `${FINE.format(ms / 1000)}${GAP}s` : `${COUNT.format(ms / 1000)}${GAP}s`;
}

/**
 * Two times, with one unit if they have the same: 1.2 / 8.0 ms, 12 ms / 1.2 s.
 * @param {number | null} ms
 * @param {number | null} otherMs
 * @returns {string}
 */
export function timesWords(ms, otherMs) {
  const [words, otherWords] = [timeWords(ms), timeWords(otherMs)];
  const [number = "", unit = ""] = words.split(GAP);
  if (words === UNKNOWN && otherWords === UNKNOWN) return UNKNOWN;
  return `${otherWords.endsWith(`${GAP}${unit}`) ? number : words} / ${otherWords}`;
}

/**
 * An amount of bytes: 512 B, 1.2 kB, 34 MB.
 * @param {number} bytes
 * @returns {string}
 */
export function bytesWords(bytes) {
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const isFine = unit > 0 && value < 9.95;
  return `${(isFine ? FINE : COUNT).format(value)}${GAP}${BYTE_UNITS[unit]}`;
}

/**
 * How long something has lasted: 12 s, 3 min, 2 h 5 min, 3 d 4 h.
 * @param {number} seconds
 * @returns {string}
 */
export function durationWords(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes] = [86_400, 3600, 60].map((unit) => Math.floor(whole / unit));
  if (days) return `${days}${GAP}d ${(hours ?? 0) % 24}${GAP}h`;
  if (hours) return `${hours}${GAP}h ${(minutes ?? 0) % 60}${GAP}min`;
  return minutes ? `${minutes}${GAP}min` : `${whole}${GAP}s`;
}

/**
 * The time of day, as logs have it: 15:04:05.
 * @param {Date} time
 * @returns {string}
 */
export function clockWords(time) {
  return [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, "0")).join(":");
}

/**
 * What a program says, as a sentence: with a capital and a full stop.
 * @param {string} text
 * @returns {string}
 */
export function sentence(text) {
  const trimmed = text.trim();
  return `${trimmed.slice(0, 1).toUpperCase()}${trimmed.slice(1)}${
    /[.!?]$/.test(trimmed) ? "" : "."
  }`;
}
