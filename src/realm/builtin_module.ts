type Ask = (name: string) => unknown;

/**
 * The modules by name, and the function that found them. Node looks a module up again each time, which takes
 * a while.
 */
const found = new Map<string, unknown>();
let asked: Ask | undefined;

/**
 * Returns a builtin module of the runtime. It is looked up at run time, so that a bundle for browsers doesn't
 * import it.
 *
 * @param name Its name, such as `"net"`.
 * @returns The module, or `null` if the platform has none: browsers, Node before 20.16.
 */
export function builtinModule<T>(name: string): T | null {
  const { process } = globalThis as { process?: { getBuiltinModule?: Ask } };
  const ask = process?.getBuiltinModule;
  if (ask !== asked) found.clear();
  asked = ask;
  let module = found.get(name);
  if (module === undefined) {
    module = process?.getBuiltinModule?.(name) ?? null;
    found.set(name, module);
  }
  return module as T | null;
}
