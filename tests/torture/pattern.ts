/** The bodies that go up and come down: whoever knows the id knows every byte. Pure. */
import { Buffer } from "node:buffer";

/** So many bytes that belong to one request and to no other. */
export function patternOf(id: string, bytes: number): Uint8Array {
  return Buffer.alloc(bytes, `${id};`);
}

/** Are these bytes that pattern, all of it and nothing else? */
export function isPattern(bytes: Uint8Array, id: string): boolean {
  return Buffer.compare(bytes, patternOf(id, bytes.length)) === 0;
}
