import type { LogPlace } from "./engine.ts";

/** An offset as users keep it: the log's epoch, and a position. */
export function formatOffset({ epoch, position }: LogPlace): string {
  return `${epoch}.${position.toString(36)}`;
}

/** What a user gives as an offset, which may have come from a client; `null` when it is none. */
export function parseOffset(offset: string): LogPlace | null {
  // A position has 128 bits: 25 digits.
  const [, epoch, digits] = /^(\w{1,64})\.([0-9a-z]{1,25})$/.exec(offset) ?? [];
  if (epoch === undefined || digits === undefined) return null;
  let position = 0n;
  for (const digit of digits) position = position * 36n + BigInt(parseInt(digit, 36));
  return { epoch, position };
}

/** A name for an epoch, a process or an attempt: 80 random bits. */
export function randomName(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => (byte % 32).toString(32)).join("");
}
