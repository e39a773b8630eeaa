type Ask = (name: string) => unknown;

/** What was found, by name, and whom was asked: Node looks it up anew each time, which takes a while. */
const found = new Map<string, unknown>();
let asked: Ask | undefined;

/**
 * A builtin module of the runtime. It is asked for at run time, so that a bundle for browsers contains
 * no import of it.
 *
 * @param name Its name, such as `"net"`.
 * @returns The module, or `null` where the platform has none: browsers, Node before 20.16.
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
