/** Values of another realm, such as a test of jest's or a frame of a page gives. */

interface Vm {
  createContext(globals: object): object;
  runInContext(code: string, context: object): unknown;
}

/** Evaluates an expression in another realm. */
export type Foreign = <T>(code: string) => T;

/** Makes another realm with these globals; `null` where the platform has none (a page of a browser). */
export function foreign(globals: object = {}): Foreign | null {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  const vm = process?.getBuiltinModule?.("vm") as Vm | undefined;
  if (vm === undefined) return null;
  const context = vm.createContext({ ...globals });
  return <T>(code: string) => vm.runInContext(`(${code})`, context) as T;
}
