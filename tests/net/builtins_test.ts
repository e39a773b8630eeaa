import { assert, assertEquals } from "@std/assert";
import { builtin, environment, hasNet } from "../../src/net/builtins.ts";
import { withProcess } from "../support/process.ts";

Deno.test("builtins: Deno, Node and Bun have the builtin modules", () => {
  assert(hasNet());
  assertEquals(typeof builtin("net")?.connect, "function");
  assertEquals(typeof builtin("tls")?.connect, "function");
  assertEquals(builtin("net")?.isIP("::1"), 6);
});

Deno.test("builtins: there are none without a process object, or with a bundler's replacement", () => {
  for (const process of [undefined, {}, { env: {}, versions: {} }]) {
    withProcess(process, () => {
      assertEquals([hasNet(), builtin("net"), environment()], [false, null, {}]);
    });
  }
});

Deno.test("builtins: a runtime with only some of the modules can't dial", () => {
  const getBuiltinModule = (name: string): unknown => name === "net" ? {} : undefined;
  withProcess({ getBuiltinModule }, () => assertEquals(hasNet(), false));
});

Deno.test("builtins: environment returns the environment variables", () => {
  withProcess({ env: { A: "b" } }, () => assertEquals(environment(), { A: "b" }));
});
