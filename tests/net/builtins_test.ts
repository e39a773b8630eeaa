import { assert, assertEquals } from "@std/assert";
import { builtin, environment, hasNet } from "../../src/net/builtins.ts";

/** Runs a body without, or with another, `process`. */
function withProcess(process: unknown, body: () => void): void {
  const before = Object.getOwnPropertyDescriptor(globalThis, "process");
  try {
    Object.defineProperty(globalThis, "process", { value: process, configurable: true });
    body();
  } finally {
    if (before === undefined) Reflect.deleteProperty(globalThis, "process");
    else Object.defineProperty(globalThis, "process", before);
  }
}

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

Deno.test("builtins: a platform is asked for each once", () => {
  const asked: string[] = [];
  const getBuiltinModule = (name: string): unknown => {
    asked.push(name);
    return name === "net" ? {} : undefined;
  };
  withProcess({ getBuiltinModule }, () => {
    const first = builtin("net");
    assertEquals([builtin("net") === first, builtin("tls"), builtin("tls")], [true, null, null]);
  });
  assertEquals(asked, ["net", "tls"]);
  assertEquals(builtin("net")?.isIP("::1"), 6);
});
