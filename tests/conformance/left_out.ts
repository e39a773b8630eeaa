/** Tests of the suite that can't be run against something: each is listed, ignored, with the reason. */

import { assertEquals } from "@std/assert";

/** Parts of tests' names, and why they are left out. */
export type LeftOut = readonly (readonly [reason: string, ...parts: string[]])[];

/** A test's registration: see `ChannelFactory.test`. */
type Register = (name: string, body: () => Promise<void>) => void;

/**
 * Registers all tests but some.
 *
 * @param leftOut Which, and why.
 * @param register Registers those that are run.
 */
export function allBut(leftOut: LeftOut, register: Register = Deno.test): Register {
  return (name, body) => {
    const found = leftOut.find(([, ...parts]) => parts.some((part) => name.includes(part)));
    if (found === undefined) return register(name, body);
    Deno.test({ name: `${name} (not applicable: ${found[0]})`, ignore: true, fn: body });
  };
}

/** As {@linkcode allBut}; afterwards `check` makes sure that there was such a test for each part. */
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
      Deno.test(`${name}: what is left out is there`, () => {
        const parts = leftOut.flatMap(([, ...parts]) => parts);
        assertEquals(parts.filter((part) => !names.some((it) => it.includes(part))), []);
      }),
  };
}
