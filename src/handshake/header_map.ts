/**
 * A multi-map of header fields, and their lists.
 *
 * @module
 */

/**
 * A text without the spaces and tabs at its ends, in linear time.
 *
 * @param text The text.
 * @returns What is left of it.
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
 * The elements of a comma-separated list, trimmed.
 *
 * RFC 9110 §5.6.1.2: empty elements are ignored.
 *
 * @param value A header field's value whose elements hold no quoted strings.
 * @returns The elements that aren't empty.
 */
export function splitList(value: string): string[] {
  return value.split(",").map(trim).filter((element) => element !== "");
}

/**
 * Header fields by name, whose letter case doesn't matter; a name may have several values.
 *
 * A list: a head has a handful of fields, and never more than its parser's limit. No name
 * (`__proto__`, `constructor`) means anything special in it.
 */
export class HeaderMap {
  /** Alternating names and values, as received. */
  #fields: string[] = [];

  /**
   * Makes a map of the fields given.
   *
   * @param fields Names and values, in the order in which they came; they are not checked.
   */
  constructor(fields?: Iterable<readonly [name: string, value: string]>) {
    if (fields === undefined) return;
    for (const [name, value] of fields) this.append(name, value);
  }

  /**
   * Makes a map of a list of alternating names and values, as `node:http` has it.
   *
   * RFC 9112 §5.1: blanks and tabs around a value aren't a part of it. Node 20 and Deno leave tabs at its end.
   *
   * @param raw The list; a name without a value at its end doesn't count.
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
   * Adds a value behind those that the name has.
   *
   * @param name The field's name; not checked.
   * @param value The value; not checked.
   */
  append(name: string, value: string): void {
    this.#fields.push(name, value);
  }

  /**
   * Whether there is a field of that name.
   *
   * @param name The name, in any letter case.
   * @returns Whether the map has it.
   */
  has(name: string): boolean {
    return this.#next(name, 0) >= 0;
  }

  /**
   * All values of a name, joined as RFC 9110 §5.3 has it.
   *
   * @param name The name, in any letter case.
   * @returns The values with `", "` between, or `null` when there are none.
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
   * All values of a name, each as it came.
   *
   * @param name The name, in any letter case.
   * @returns The values in order; none when there is no such field.
   */
  all(name: string): readonly string[] {
    const fields = this.#fields;
    return fields.filter((_, i) => i % 2 === 1 && isSameName(fields[i - 1] as string, name));
  }

  /**
   * Whether the values of a name, read as one comma-separated list, hold a word.
   *
   * @param name The name, in any letter case.
   * @param word The word, in lower case; the list's letter case doesn't matter.
   * @returns Whether the list holds it.
   */
  lists(name: string, word: string): boolean {
    const value = this.get(name) ?? "";
    return isSameName(value, word) || splitList(value.toLowerCase()).includes(word);
  }

  /**
   * All fields, those of one name together.
   *
   * @returns An iterator over names, in lower case, and single values.
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

  /** The index behind the next field of that name from an index on, or -1. */
  #next(name: string, from: number): number {
    const fields = this.#fields;
    for (let i = from; i < fields.length; i += 2) {
      if (isSameName(fields[i] as string, name)) return i + 2;
    }
    return -1;
  }
}

/** Whether names are the same but for their letter case. No text is made: a server compares many. */
function isSameName(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (lowered(a.charCodeAt(i)) !== lowered(b.charCodeAt(i))) return false;
  }
  return true;
}

/** A letter of ASCII in lower case. */
function lowered(code: number): number {
  return code >= 65 && code <= 90 ? code + 32 : code;
}
