/** Hashes for the policies that keep a client with its backend. Not against attackers. Pure. */

/** A hash of 64 bits, as two of 32: signed whole numbers. */
export interface Hash {
  /** One half. */
  readonly high: number;
  /** The other half. */
  readonly low: number;
}

/** Numbers without a pattern: the first bits of the fractions of √2 and √3. */
const SEED = { high: 0x6a09e667, low: 0xbb67ae85 } as const;

/** 64 bits of a text: two of {@linkcode hash32} with different seeds. */
export function hash64(text: string): Hash {
  return { high: hash32(text, SEED.high), low: hash32(text, SEED.low) };
}

/** 32 bits of a text, as a signed whole number. */
export function hash32(text: string, seed: number = SEED.low): number {
  let hash = seed ^ text.length;
  for (let at = 0; at < text.length; at++) hash = mix32(hash ^ text.charCodeAt(at));
  return hash;
}

/**
 * Turns 32 bits into 32 others, one to one; a change of any bit changes half of them: the last step
 * of MurmurHash3 (Austin Appleby, public domain).
 */
export function mix32(bits: number): number {
  let mixed = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
