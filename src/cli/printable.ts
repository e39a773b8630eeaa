/**
 * Text from elsewhere, made safe to print: a terminal obeys control characters, and some characters hide or reorder
 * others.
 *
 * @module
 */

// Controls of C0 and C1; what joins, hides or reorders characters; line separators; lone surrogates; tags.
const UNSAFE =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udc7f]/g;

/**
 * Escapes what a terminal would obey or hide. Line ends are escaped as well.
 *
 * @param text The text.
 * @returns The text, such as `\x1b[2J` with a backslash instead of ESC.
 */
export function printable(text: string): string {
  return text.replace(UNSAFE, escaped);
}

function escaped(found: string): string {
  if (found === "\n") return "\\n";
  if (found === "\r") return "\\r";
  if (found === "\t") return "\\t";
  return [...found].map((char) => {
    const code = char.codePointAt(0) ?? 0;
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
    return code < 0x1_0000
      ? `\\u${code.toString(16).padStart(4, "0")}`
      : `\\u{${code.toString(16)}}`;
  }).join("");
}

/**
 * As {@linkcode printable}, but lines stay lines: each but the first is indented.
 *
 * @param text The text.
 * @param indent The text in front of each further line.
 */
export function printableLines(text: string, indent = "  "): string {
  return text.split(/\r?\n/).map(printable).join(`\n${indent}`);
}

/**
 * A value as one line of JSON that is safe to print: what a terminal would obey is escaped in JSON's own way.
 *
 * @param value The value.
 */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (found) => {
    let text = "";
    for (let i = 0; i < found.length; i++) {
      text += `\\u${found.charCodeAt(i).toString(16).padStart(4, "0")}`;
    }
    return text;
  });
}

/** How many bytes of a binary message are shown, unless all are asked for. */
const MAX_SHOWN = 256;

/**
 * Bytes in hexadecimal, with what is ASCII beside it, sixteen a line.
 *
 * @param bytes The bytes.
 * @param limit How many bytes to show.
 */
export function hexLines(bytes: Uint8Array, limit: number = MAX_SHOWN): string[] {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, limit); at += 16) {
    const part = bytes.subarray(at, Math.min(at + 16, limit));
    const hex = [...part].map((it) => it.toString(16).padStart(2, "0")).join(" ");
    const text = [...part].map((it) => it > 31 && it < 127 ? String.fromCharCode(it) : ".");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${text.join("")}`);
  }
  if (bytes.length > limit) lines.push(`… ${bytes.length - limit} more bytes`);
  return lines;
}
