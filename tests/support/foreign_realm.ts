/** Values of another realm, such as jest's or a frame's in a page. */

interface Vm {
  createContext(globals: object): object;
  runInContext(code: string, context: object): unknown;
}

/** Evaluates an expression in another realm. */
export type Foreign = <T>(code: string) => T;

/** Creates another realm with these globals; `null` if the platform can't (a page of a browser). */
export function foreign(globals: object = {}): Foreign | null {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  const vm = process?.getBuiltinModule?.("vm") as Vm | undefined;
  if (vm === undefined) return null;
  const context = vm.createContext({ ...globals });
  return <T>(code: string) => vm.runInContext(`(${code})`, context) as T;
}
