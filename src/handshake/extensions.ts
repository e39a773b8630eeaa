/**
 * Parsing and serializing `Sec-WebSocket-Extensions`.
 *
 * @module
 */

import type { Extension, ExtensionParameter } from "../permessage_deflate/deflate_parameters.ts";
import { HandshakeError } from "./handshake_error.ts";
import { isToken } from "./subprotocol.ts";

export type { Extension, ExtensionParameter };

/**
 * Parses the value of `Sec-WebSocket-Extensions`, in linear time.
 *
 * @param text The value. Several header lines are joined by commas.
 * @returns The extensions in order, at least one.
 * @throws {HandshakeError} If the value doesn't have the form of RFC 6455 §9.1.
 */
export function parseExtensions(text: string): Extension[] {
  return new ExtensionReader(text).readAll();
}

/** A parser that reads each character a fixed number of times. */
class ExtensionReader {
  readonly #text: string;
  #index = 0;

  constructor(text: string) {
    this.#text = text;
  }

  readAll(): Extension[] {
    const extensions: Extension[] = [];
    do {
      // RFC 9110 §5.6.1.2: empty elements of a list are ignored.
      const element = this.#readExtension();
      if (element !== null) extensions.push(element);
    } while (this.#accept(","));
    if (this.#index < this.#text.length || extensions.length === 0) throw this.#malformed();
    return extensions;
  }

  #readExtension(): Extension | null {
    const name = this.#readToken();
    if (name === "") return null;
    const parameters: ExtensionParameter[] = [];
    while (this.#accept(";")) parameters.push(this.#readParameter());
    return { name, parameters };
  }

  #readParameter(): ExtensionParameter {
    const name = this.#readToken();
    if (name === "") throw this.#malformed();
    if (!this.#accept("=")) return [name, null];
    const value = this.#accept('"') ? this.#readQuoted() : this.#readToken();
    // RFC 6455 §9.1: the content of a quoted string must be a token, too.
    if (!isToken(value)) throw this.#malformed();
    return [name, value];
  }

  #readToken(): string {
    this.#skipBlanks();
    const start = this.#index;
    while (isTokenCode(this.#text.charCodeAt(this.#index))) this.#index++;
    const token = this.#text.slice(start, this.#index);
    this.#skipBlanks();
    return token;
  }

  /**
   * RFC 9110 §5.6.4: reads a quoted string after its opening quote. A backslash escapes the next character.
   */
  #readQuoted(): string {
    let value = "";
    for (;;) {
      const character = this.#text.charAt(this.#index++);
      if (character === "") throw this.#malformed();
      if (character === '"') break;
      value += character === "\\" ? this.#text.charAt(this.#index++) : character;
    }
    this.#skipBlanks();
    return value;
  }

  #accept(character: string): boolean {
    if (this.#text.charAt(this.#index) !== character) return false;
    this.#index++;
    return true;
  }

  #skipBlanks(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#index);
      if (code !== 32 && code !== 9) return;
      this.#index++;
    }
  }

  #malformed(): HandshakeError {
    const message = `Sec-WebSocket-Extensions is malformed at character ${this.#index}`;
    return new HandshakeError("bad-extensions", message);
  }
}

/** Returns `false` for NaN, which `charCodeAt` returns after the last character. */
function isTokenCode(code: number): boolean {
  return code > 32 && code < 127 && !'"(),/:;<=>?@[\\]{}'.includes(String.fromCharCode(code));
}

/**
 * Serializes extensions as a value of `Sec-WebSocket-Extensions`.
 *
 * @param extensions The extensions; their names and values must be tokens.
 * @returns The value; empty if there are no extensions.
 */
export function serializeExtensions(extensions: readonly Extension[]): string {
  return extensions.map(serializeExtension).join(", ");
}

function serializeExtension({ name, parameters }: Extension): string {
  let text = name;
  for (const [key, value] of parameters) text += value === null ? `; ${key}` : `; ${key}=${value}`;
  return text;
}
