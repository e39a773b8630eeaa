import { assert, assertEquals } from "@std/assert";
import { builtin, environment, hasNet } from "../../src/net/builtins.ts";
import { withProcess } from "../support/process.ts";

Deno.test("builtins: Deno, Node and Bun have them", () => {
  assert(hasNet());
  assertEquals(typeof builtin("net")?.connect, "function");
  assertEquals(typeof builtin("tls")?.connect, "function");
  assertEquals(builtin("net")?.isIP("::1"), 6);
});

Deno.test("builtins: where there is no process, or one that a bundler put there, there are none", () => {
  for (const process of [undefined, {}, { env: {}, versions: {} }]) {
    withProcess(process, () => {
      assertEquals([hasNet(), builtin("net"), environment()], [false, null, {}]);
    });
  }
});

Deno.test("builtins: a runtime that has only some of them can't dial", () => {
  const getBuiltinModule = (name: string): unknown => name === "net" ? {} : undefined;
  withProcess({ getBuiltinModule }, () => assertEquals(hasNet(), false));
});

Deno.test("builtins: the environment", () => {
  withProcess({ env: { A: "b" } }, () => assertEquals(environment(), { A: "b" }));
});
