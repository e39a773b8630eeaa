/**
 * The method that each platform calls to print an object. It gets the platform's function to print another
 * object.
 */
const NODE = Symbol.for("nodejs.util.inspect.custom");
const DENO = Symbol.for("Deno.customInspect");

type Inspect = (value: unknown, options?: unknown) => string;

/**
 * Sets what `console.log` and `inspect` print for the objects of a class, on Node, Deno and Bun. By default
 * they print all fields, which may be secrets.
 *
 * @param prototype The class's prototype.
 * @param name The class's name.
 * @param describe Returns what to print for an object, without secrets.
 */
export function inspectAs<T extends object>(
  prototype: T,
  name: string,
  describe: (object: T) => object,
): void {
  // Node passes the depth, the options and its printer; Deno passes its printer and the options.
  function value(this: T, first: unknown, options: unknown, inspect = first as Inspect): string {
    // The getters of a prototype throw.
    if (this === prototype) return `${name} {}`;
    return `${name} ${inspect(describe(this), options)}`;
  }
  for (const key of [NODE, DENO]) Object.defineProperty(prototype, key, { value });
}

/**
 * Returns the length of a subprotocol for texts. The subprotocol itself may be a token, because pages have no
 * better place for one.
 */
export function shownProtocol(protocol: string | null): string | null {
  return protocol === null ? null : `… (${protocol.length} characters)`;
}
