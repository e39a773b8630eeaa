/** Turns a value into JSON, and refuses what `JSON.stringify` would change silently. */

import { findUnsendable, whyNoJson, whyNoObject } from "./unsendable.ts";

/** How many objects the quick look sees: without a limit it would follow a cycle for ever. */
const MAX_OBJECTS = 1_000_000;

const dateToJson = Date.prototype.toJSON;

/**
 * Encodes a value as JSON. What an object's `toJSON` returns takes its place, whatever the object is;
 * a property that is `undefined` is left out: reading it back gives `undefined` as well.
 *
 * @throws {TypeError} When the value, or something inside it, has no JSON: names the place.
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

/** Names the true cause, found in a second look. What has failed only once can't be found again. */
function refusal(value: unknown, options?: ErrorOptions): TypeError {
  const found = findUnsendable(value);
  const what = found === null
    ? "the value can't be encoded as JSON"
    : `${found.what}, at ${found.place}`;
  return new TypeError(`Cannot send: ${what}`, found?.isOurs ? undefined : options);
}

/** A replacer that refuses: slower, but it sees what a `toJSON` returned without a second call. */
function checked(this: unknown, _key: string, value: unknown): unknown {
  if (value === undefined && !Array.isArray(this)) return value;
  const why = whyNoJson(value);
  if (why !== null) throw new TypeError(why);
  return value;
}

/** Whether nothing in a value needs the slower way: a quick look, which calls no `toJSON`. */
function isPlain(root: unknown): boolean {
  const objects: object[] = [];
  if (!isPlainItem(root, objects)) return false;
  for (let seen = 0; objects.length > 0; seen++) {
    const object = objects.pop() as Record<string, unknown>;
    const { toJSON } = object;
    if (seen === MAX_OBJECTS) return false;
    if (toJSON !== undefined) {
      // A valid `Date` is the one class that has a `toJSON` and is known.
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
  // In half the time of `Object.keys`; what is only inherited is looked at for nothing.
  for (const key in object) {
    const item = object[key];
    if (item !== undefined && !isPlainItem(item, objects)) return false;
  }
  return true;
}

/** Looks at one value; an object is put aside. */
function isPlainItem(item: unknown, objects: object[]): boolean {
  switch (typeof item) {
    case "string":
    case "boolean":
      return true;
    case "number":
      // As `Number.isFinite`, in less time.
      return item - item === 0;
    case "object":
      if (item !== null) objects.push(item);
      return true;
    default:
      return false;
  }
}
