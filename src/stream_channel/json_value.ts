/** Encodes values as JSON, and rejects those that `JSON.stringify` would change silently. */

/**
 * The maximum number of objects that the quick check visits. Without a limit it would follow a cycle forever.
 */
const MAX_OBJECTS = 1_000_000;

/** The maximum length of a path in an error text, in characters. */
const MAX_PLACE = 100;

/** The classes whose content `JSON.stringify` drops, by their `Object.prototype.toString` name. */
const WITHOUT_JSON: ReadonlySet<string> = new Set([
  ...["Map", "Set", "WeakMap", "WeakSet", "WeakRef", "Promise", "RegExp", "Error", "DOMException"],
  ...["ArrayBuffer", "SharedArrayBuffer", "DataView", "Blob", "File", "FormData", "Headers"],
  ...["URLSearchParams", "Symbol", "BigInt", "Generator", "Map Iterator", "Set Iterator"],
]);

const dateToJson = Date.prototype.toJSON;

/**
 * Encodes a value as JSON. The result of an object's `toJSON` replaces the object. A property that is
 * `undefined` is left out, because reading it from the result gives `undefined` as well.
 *
 * @throws {TypeError} If the value, or a part of it, can't be encoded. The error names the path.
 */
export function encodeJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = isPlain(value) ? JSON.stringify(value) : JSON.stringify(value, checked);
  } catch (cause) {
    throw refusal(value, { cause });
  }
  if (text === undefined) throw refusal(value);
  return text;
}

/**
 * Creates the error, with the cause found by a second search. A fault that occurred only once isn't found
 * again.
 */
function refusal(value: unknown, options?: ErrorOptions): TypeError {
  const found = findUnsendable(value);
  const what = found === null
    ? "the value can't be encoded as JSON"
    : `${found.what}, at ${found.place}`;
  return new TypeError(`Cannot send: ${what}`, found?.isOurs ? undefined : options);
}

/**
 * A replacer that throws. It is slower than the quick check, but gets the result of `toJSON` without a second
 * call.
 */
function checked(this: unknown, _key: string, value: unknown): unknown {
  if (value === undefined && !Array.isArray(this)) return value;
  const why = whyNoJson(value);
  if (why !== null) throw new TypeError(why);
  return value;
}

/** Returns whether a value doesn't need the slower check. It calls no `toJSON`. */
function isPlain(root: unknown): boolean {
  const objects: object[] = [];
  if (!isPlainItem(root, objects)) return false;
  for (let seen = 0; objects.length > 0; seen++) {
    const object = objects.pop() as Record<string, unknown>;
    const { toJSON } = object;
    if (seen === MAX_OBJECTS) return false;
    if (toJSON !== undefined) {
      // `Date` is the only known class with a `toJSON`.
      if (toJSON !== dateToJson || !Number.isFinite(Number(object))) return false;
    } else if (Array.isArray(object)) {
      for (let i = 0; i < object.length; i++) if (!isPlainItem(object[i], objects)) return false;
    } else if (!hasPlainItems(object, objects)) return false;
  }
  return true;
}

function hasPlainItems(object: Record<string, unknown>, objects: object[]): boolean {
  if (Object.getPrototypeOf(object) !== Object.prototype && whyNoObject(object) !== null) {
    return false;
  }
  // It takes half the time of `Object.keys`. Checking inherited properties, too, is harmless.
  for (const key in object) {
    const item = object[key];
    if (item !== undefined && !isPlainItem(item, objects)) return false;
  }
  return true;
}

/** Checks one value. An object is added to the list. */
function isPlainItem(item: unknown, objects: object[]): boolean {
  switch (typeof item) {
    case "string":
    case "boolean":
      return true;
    case "number":
      // Faster than `Number.isFinite`.
      return item - item === 0;
    case "object":
      if (item !== null) objects.push(item);
      return true;
    default:
      return false;
  }
}

/** Returns why a value, after its `toJSON`, can't be encoded; `null` if it can, apart from its content. */
export function whyNoJson(value: unknown): string | null {
  switch (typeof value) {
    case "string":
    case "boolean":
      return null;
    case "number":
      return Number.isFinite(value) ? null : `JSON has no ${value}`;
    case "object":
      return value === null ? null : whyNoObject(value);
    default:
      return `JSON has no ${typeof value}`;
  }
}

/** Returns why an object can't be encoded, as {@linkcode whyNoJson} does. */
function whyNoObject(value: object): string | null {
  if (Array.isArray(value)) return null;
  if (Object.getPrototypeOf(value) === Object.prototype) return null;
  if (ArrayBuffer.isView(value)) return "JSON has no bytes";
  const name = Object.prototype.toString.call(value).slice(8, -1);
  return WITHOUT_JSON.has(name) ? `JSON has no ${name}` : null;
}

/** The part of a value that can't be sent, and its path. */
export interface Unsendable {
  /** A description of the fault. */
  readonly what: string;
  /** The path, such as `$.a[3]`. It never has the value. */
  readonly place: string;
  /** Whether the text is complete, because no user's function has thrown. */
  readonly isOurs: boolean;
}

/**
 * Finds the first part of a value that can't be encoded, in the order of `JSON.stringify`. It explains a
 * failed encoding.
 */
export function findUnsendable(value: unknown): Unsendable | null {
  return new Search().find(value);
}

type Holder = Record<PropertyKey, unknown>;

/** An object whose items are being searched. */
interface Frame {
  readonly object: Holder;
  /** The keys, or `null` for the indexes of an array. */
  readonly keys: readonly string[] | null;
  next: number;
}

class Search {
  /**
   * The path to the current item. There is no recursion, because a value may be nested deeper than the call
   * stack allows.
   */
  readonly #frames: Frame[] = [];
  readonly #above = new Set<unknown>();

  find(root: unknown): Unsendable | null {
    let found = this.#look({ "": root }, "");
    while (found === null) {
      const frame = this.#frames.at(-1);
      if (frame === undefined) break;
      const { object, keys } = frame;
      const length = keys === null ? object.length as number : keys.length;
      const key = keys === null ? frame.next : keys[frame.next];
      if (frame.next++ < length && key !== undefined) found = this.#look(object, key);
      else this.#above.delete(this.#frames.pop()?.object);
    }
    return found;
  }

  #look(holder: Holder, key: PropertyKey): Unsendable | null {
    let what = "a getter threw";
    try {
      let item = holder[key];
      what = "toJSON threw";
      item = afterToJson(item, key);
      if (item === undefined && this.#frames.length > 0 && !Array.isArray(holder)) return null;
      what = "a Proxy threw";
      const why = whyNoJson(item);
      if (why !== null) return this.#found(why, true);
      return typeof item === "object" && item !== null ? this.#enter(item as Holder) : null;
    } catch {
      return this.#found(what, false);
    }
  }

  #enter(object: Holder): Unsendable | null {
    if (this.#above.has(object)) return this.#found("the value contains itself", true);
    this.#above.add(object);
    const keys = Array.isArray(object) ? null : Object.keys(object);
    this.#frames.push({ object, keys, next: 0 });
    return null;
  }

  #found(what: string, isOurs: boolean): Unsendable {
    let place = "$";
    for (const { keys, next } of this.#frames) {
      const key = keys?.[next - 1];
      if (key === undefined) place += `[${next - 1}]`;
      else place += /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
      if (place.length > MAX_PLACE) return { what, place: `${place.slice(0, MAX_PLACE)}…`, isOurs };
    }
    return { what, place, isOurs };
  }
}

function afterToJson(item: unknown, key: PropertyKey): unknown {
  if (item === null || !["object", "function", "bigint"].includes(typeof item)) return item;
  const { toJSON } = item as { toJSON?: unknown };
  return typeof toJSON === "function" ? Reflect.apply(toJSON, item, [String(key)]) : item;
}
