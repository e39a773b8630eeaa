/** What each platform calls to print an object; it gets the platform's own function to print another. */
const NODE = Symbol.for("nodejs.util.inspect.custom");
const DENO = Symbol.for("Deno.customInspect");

type Inspect = (value: unknown, options?: unknown) => string;

/**
 * Chooses what `console.log` and `inspect` print of the objects of a class, on Node, Deno and Bun: all
 * that is in them may be secrets otherwise.
 *
 * @param prototype The class's prototype.
 * @param name The class's name.
 * @param describe What to print of an object: no value that may be a secret.
 */
export function inspectAs<T extends object>(
  prototype: T,
  name: string,
  describe: (object: T) => object,
): void {
  // Node gives the depth, the options and its printer; Deno its printer and the options.
  function value(this: T, first: unknown, options: unknown, inspect = first as Inspect): string {
    // A prototype has nothing of an object's own: its getters throw.
    if (this === prototype) return `${name} {}`;
    return `${name} ${inspect(describe(this), options)}`;
  }
  for (const key of [NODE, DENO]) Object.defineProperty(prototype, key, { value });
}

/** The length of a subprotocol, for texts: it may be a token, because pages have no better place for one. */
export function shownProtocol(protocol: string | null): string | null {
  return protocol === null ? null : `… (${protocol.length} characters)`;
}
