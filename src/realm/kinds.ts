/**
 * What a value is, told by what it can do: `instanceof` knows only this realm's classes, and only as
 * long as no library replaces them (zone.js does so with `Promise`).
 *
 * @module
 */

/** Whether it is a promise, or behaves as one. */
export function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  const isObject = typeof value === "object" && value !== null || typeof value === "function";
  return isObject && typeof (value as Partial<PromiseLike<T>>).then === "function";
}

/**
 * A promise of this realm that settles as another does. It listens at once: `await` would do so a
 * microtask later, when zone.js has reported a rejection as unhandled.
 */
export function adopted<T>(promise: PromiseLike<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => void promise.then(resolve, reject));
}

/** Whether it is a `ReadableStream`, of whichever realm or library. */
export function isReadableStream<T>(value: object): value is ReadableStream<T> {
  return typeof (value as Partial<ReadableStream<T>>).getReader === "function";
}

/** Whether it is a `WritableStream`, of whichever realm or library. */
export function isWritableStream<T>(value: object): value is WritableStream<T> {
  return typeof (value as Partial<WritableStream<T>>).getWriter === "function";
}

/** Built-in objects that have none of a user's own members: none of them is a set of options or of headers. */
const BUILTIN =
  /^(?:AbortSignal|Boolean|Number|String|Symbol|BigInt|Date|RegExp|Error|DOMException|Promise|Request|Response|Blob|File|FormData|URL|ArrayBuffer|SharedArrayBuffer|DataView|Weak(?:Map|Set|Ref))$/;

/**
 * Which built-in object a value is, of whichever realm.
 *
 * @param value The value.
 * @returns Its class's name, such as `"Date"` or `"Response"`; `null` for plain objects, instances of a user's
 * own class, lists, and whatever else may hold options or headers.
 */
export function builtinOf(value: object): string | null {
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
  return BUILTIN.test(tag) ? tag : null;
}

/**
 * The message of an error.
 *
 * @param error Whatever was thrown.
 * @returns The empty text when it has none.
 */
export function messageOf(error: unknown): string {
  return textOf(error, "message");
}

/**
 * The name of an error.
 *
 * @param error Whatever was thrown.
 * @returns The empty text when it has none.
 */
export function nameOf(error: unknown): string {
  return textOf(error, "name");
}

/**
 * The code of an error, such as `"ECONNREFUSED"`.
 *
 * @param error Whatever was thrown.
 * @returns The empty text when it has none.
 */
export function codeOf(error: unknown): string {
  return textOf(error, "code");
}

/** Whatever was thrown may be a `Proxy`, or have getters, which throw. */
function textOf(error: unknown, key: "message" | "name" | "code"): string {
  if (typeof error !== "object" || error === null) return "";
  try {
    const text = (error as Record<string, unknown>)[key];
    return typeof text === "string" ? text : "";
  } catch {
    return "";
  }
}
