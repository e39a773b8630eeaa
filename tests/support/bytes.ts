/** Bytes, as text and hexadecimal. */

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

// Read once, so that a test that counts allocations doesn't count these.
const Bytes = Uint8Array;
const DIGITS = utf8("0123456789abcdef");

export function hex(data: ArrayBuffer | ArrayBufferView): string {
  const bytes = ArrayBuffer.isView(data)
    ? new Bytes(data.buffer, data.byteOffset, data.byteLength)
    : new Bytes(data);
  // Tests convert megabytes: a text for each byte would take most of a test's time.
  const digits = new Bytes(bytes.length * 2);
  let at = 0;
  for (const byte of bytes) {
    digits[at++] = DIGITS[byte >> 4] as number;
    digits[at++] = DIGITS[byte & 15] as number;
  }
  return new TextDecoder().decode(digits);
}

/** The bytes of a hexadecimal text, which may contain blanks. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  const digits = text.replaceAll(/\s/g, "");
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new SyntaxError(`No hexadecimal text: ${text}`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** Joins the bytes of several arrays. */
export function joined(chunks: Iterable<Uint8Array>): Uint8Array<ArrayBuffer> {
  const all = [...chunks];
  const result = new Uint8Array(all.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of all) {
    result.set(chunk, at);
    at += chunk.length;
  }
  return result;
}
