/**
 * A map of header fields, and the parsing of lists in their values.
 *
 * @module
 */

/**
 * Removes spaces and tabs from both ends of a text, in linear time.
 *
 * @param text The text.
 * @returns The trimmed text.
 */
export function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

/**
 * Splits a comma-separated list into its trimmed elements.
 *
 * @param value A header field's value without quoted strings.
 * @returns The elements. Empty ones are ignored (RFC 9110 §5.6.1.2).
 */
export function splitList(value: string): string[] {
  return value.split(",").map(trim).filter((element) => element !== "");
}

/**
 * Header fields by name. Names are case-insensitive, and a name may have several values.
 *
 * It is a list, because a head has few fields, and at most as many as the parser allows. No name has a
 * special meaning in it, not even `__proto__` or `constructor`.
 */
export class HeaderMap {
  /** Alternating names and values, as received. */
  #fields: string[] = [];

  /**
   * Creates a map of fields.
   *
   * @param fields Names and values in the received order. They are not checked.
   */
  constructor(fields?: Iterable<readonly [name: string, value: string]>) {
    if (fields === undefined) return;
    for (const [name, value] of fields) this.append(name, value);
  }

  /**
   * Creates a map of a list of alternating names and values, such as `rawHeaders` of `node:http`.
   *
   * RFC 9112 §5.1: spaces and tabs around a value are not part of it. Node 20 and Deno keep tabs at its end.
   *
   * @param raw The list. A last name without a value is ignored.
   * @returns The map.
   */
  static ofRaw(raw: readonly string[]): HeaderMap {
    const map = new HeaderMap();
    for (let i = 1; i < raw.length; i += 2) {
      map.append(raw[i - 1] as string, trim(raw[i] as string));
    }
    return map;
  }

  /**
   * Appends a value to those of a name.
   *
   * @param name The field's name; not checked.
   * @param value The value; not checked.
   */
  append(name: string, value: string): void {
    this.#fields.push(name, value);
  }

  /**
   * Returns whether the map has a field with a name.
   *
   * @param name The name, in any letter case.
   */
  has(name: string): boolean {
    return this.#next(name, 0) >= 0;
  }

  /**
   * Returns all values of a name, joined as in RFC 9110 §5.3.
   *
   * @param name The name, in any letter case.
   * @returns The values with `", "` between them, or `null` if there are none.
   */
  get(name: string): string | null {
    let joined: string | null = null;
    for (let i = this.#next(name, 0); i >= 0; i = this.#next(name, i)) {
      const value = this.#fields[i - 1] as string;
      joined = joined === null ? value : `${joined}, ${value}`;
    }
    return joined;
  }

  /**
   * Returns the values of a name, each as received.
   *
   * @param name The name, in any letter case.
   * @returns The values in order; empty if there is no such field.
   */
  all(name: string): readonly string[] {
    const fields = this.#fields;
    return fields.filter((_, i) => i % 2 === 1 && isSameName(fields[i - 1] as string, name));
  }

  /**
   * Returns whether a comma-separated list, which is the values of a name, has a word.
   *
   * @param name The name, in any letter case.
   * @param word The word in lower case. The list is case-insensitive.
   */
  lists(name: string, word: string): boolean {
    const value = this.get(name) ?? "";
    return isSameName(value, word) || splitList(value.toLowerCase()).includes(word);
  }

  /**
   * Iterates over all fields. Those with the same name follow each other.
   *
   * @returns An iterator over names in lower case and single values.
   */
  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    const fields = new Map<string, string[]>();
    for (let i = 0; i < this.#fields.length; i += 2) {
      const name = (this.#fields[i] as string).toLowerCase();
      const value = this.#fields[i + 1] as string;
      const values = fields.get(name);
      if (values === undefined) fields.set(name, [value]);
      else values.push(value);
    }
    for (const [name, values] of fields) {
      for (const value of values) yield [name, value];
    }
  }

  /** Returns the index after the next field with a name, or -1. */
  #next(name: string, from: number): number {
    const fields = this.#fields;
    for (let i = from; i < fields.length; i += 2) {
      if (isSameName(fields[i] as string, name)) return i + 2;
    }
    return -1;
  }
}

/** Compares two names, case-insensitively. It creates no text, because a server compares many names. */
function isSameName(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (lowered(a.charCodeAt(i)) !== lowered(b.charCodeAt(i))) return false;
  }
  return true;
}

/** Returns the code of an ASCII letter in lower case. */
function lowered(code: number): number {
  return code >= 65 && code <= 90 ? code + 32 : code;
}
