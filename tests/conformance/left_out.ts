/** Tests of the suite that one implementation or peer can't run: each is registered as ignored, with the reason. */

import { assertEquals } from "@std/assert";

/** Why tests are left out, and parts of their names. */
export type LeftOut = readonly (readonly [reason: string, ...parts: string[]])[];

/** Registers a test, as `ChannelFactory.test` does. */
type Register = (name: string, body: () => Promise<void>) => void;

/**
 * Returns a function that registers tests, and ignores some of them.
 *
 * @param leftOut Which tests are ignored, and why.
 * @param register Registers the tests that are run.
 */
export function allBut(leftOut: LeftOut, register: Register = Deno.test): Register {
  return (name, body) => {
    const found = leftOut.find(([, ...parts]) => parts.some((part) => name.includes(part)));
    if (found === undefined) return register(name, body);
    Deno.test({ name: `${name} (not applicable: ${found[0]})`, ignore: true, fn: body });
  };
}

/** Like {@linkcode allBut}; `check` registers a test that fails when a part matched no test's name. */
export function checkedAllBut(
  leftOut: LeftOut,
  register?: Register,
): { readonly test: Register; check(name: string): void } {
  const names: string[] = [];
  const test = allBut(leftOut, register);
  return {
    test(name, body) {
      names.push(name);
      test(name, body);
    },
    check: (name) =>
      Deno.test(`${name}: each left-out test exists`, () => {
        const parts = leftOut.flatMap(([, ...parts]) => parts);
        assertEquals(parts.filter((part) => !names.some((it) => it.includes(part))), []);
      }),
  };
}
