/** What has no JSON, and where in a value it is. */

/** The maximum length of a place in an error text, in characters. */
const MAX_PLACE = 100;

/** What `JSON.stringify` drops the content of, as `Object.prototype.toString` calls it. */
const WITHOUT_JSON: ReadonlySet<string> = new Set([
  ...["Map", "Set", "WeakMap", "WeakSet", "WeakRef", "Promise", "RegExp", "Error", "DOMException"],
  ...["ArrayBuffer", "SharedArrayBuffer", "DataView", "Blob", "File", "FormData", "Headers"],
  ...["URLSearchParams", "Symbol", "BigInt", "Generator", "Map Iterator", "Set Iterator"],
]);

/** What keeps a value, after its `toJSON`, from having JSON; `null` when nothing in itself does. */
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

/** As {@linkcode whyNoJson}, of an object. */
export function whyNoObject(value: object): string | null {
  if (Array.isArray(value)) return null;
  if (Object.getPrototypeOf(value) === Object.prototype) return null;
  if (ArrayBuffer.isView(value)) return "JSON has no bytes";
  const name = Object.prototype.toString.call(value).slice(8, -1);
  return WITHOUT_JSON.has(name) ? `JSON has no ${name}` : null;
}

/** What can't be sent, and where it is. */
export interface Unsendable {
  /** What is wrong. */
  readonly what: string;
  /** Where, such as `$.a[3]`; never the value. */
  readonly place: string;
  /** Whether the text says all: nothing was thrown by a user's function. */
  readonly isOurs: boolean;
}

/**
 * Finds the first thing in a value that has no JSON, in the order in which `JSON.stringify` looks: for
 * an error text, when encoding has failed.
 */
export function findUnsendable(value: unknown): Unsendable | null {
  return new Search().find(value);
}

type Holder = Record<PropertyKey, unknown>;

/** An object whose items are looked at. */
interface Frame {
  readonly object: Holder;
  /** `null`: the indexes of an array. */
  readonly keys: readonly string[] | null;
  next: number;
}

class Search {
  /** A stack of its own: a value may be deeper than calls can. */
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
