/**
 * Recognizing values by their members. `instanceof` knows only the classes of this realm, and fails if a
 * library replaces them (as zone.js does with `Promise`).
 *
 * @module
 */

/** Returns whether a value is a promise, or behaves like one. */
export function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  const isObject = typeof value === "object" && value !== null || typeof value === "function";
  return isObject && typeof (value as Partial<PromiseLike<T>>).then === "function";
}

/**
 * Returns a promise of this realm that settles like another one. It listens at once: `await` would do so a
 * microtask later, when zone.js has reported a rejection as unhandled.
 */
export function adopted<T>(promise: PromiseLike<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => void promise.then(resolve, reject));
}

/** Returns whether an object is a `ReadableStream`, of any realm or library. */
export function isReadableStream<T>(value: object): value is ReadableStream<T> {
  return typeof (value as Partial<ReadableStream<T>>).getReader === "function";
}

/** Returns whether an object is a `WritableStream`, of any realm or library. */
export function isWritableStream<T>(value: object): value is WritableStream<T> {
  return typeof (value as Partial<WritableStream<T>>).getWriter === "function";
}

/**
 * Built-in objects that have no members of the user, so that none of them is an object of options or headers.
 */
const BUILTIN =
  /^(?:AbortSignal|Boolean|Number|String|Symbol|BigInt|Date|RegExp|Error|DOMException|Promise|Request|Response|Blob|File|FormData|URL|ArrayBuffer|SharedArrayBuffer|DataView|Weak(?:Map|Set|Ref))$/;

/**
 * Returns the class of a built-in object, of any realm.
 *
 * @param value The value.
 * @returns The class's name, such as `"Date"` or `"Response"`. `null` for plain objects, instances of a
 * user's class, lists, and other objects that may have options or headers.
 */
export function builtinOf(value: object): string | null {
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
  return BUILTIN.test(tag) ? tag : null;
}

/**
 * Returns the message of an error.
 *
 * @param error The thrown value.
 * @returns The text, or an empty one if it has none.
 */
export function messageOf(error: unknown): string {
  return textOf(error, "message");
}

/**
 * Returns the name of an error.
 *
 * @param error The thrown value.
 * @returns The text, or an empty one if it has none.
 */
export function nameOf(error: unknown): string {
  return textOf(error, "name");
}

/**
 * Returns the code of an error, such as `"ECONNREFUSED"`.
 *
 * @param error The thrown value.
 * @returns The text, or an empty one if it has none.
 */
export function codeOf(error: unknown): string {
  return textOf(error, "code");
}

/** Reads a text of a thrown value, which may be a `Proxy` or have getters that throw. */
function textOf(error: unknown, key: "message" | "name" | "code"): string {
  if (typeof error !== "object" || error === null) return "";
  try {
    const text = (error as Record<string, unknown>)[key];
    return typeof text === "string" ? text : "";
  } catch {
    return "";
  }
}
