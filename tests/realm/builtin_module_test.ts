// Not in browsers: they have no builtins

import { assertEquals } from "@std/assert";
import { builtinModule } from "../../src/realm/builtin_module.ts";
import { withProcess } from "../support/process.ts";

interface Net {
  isIP(host: string): number;
}

Deno.test("a builtin module is found on Deno, Node and Bun", () => {
  assertEquals(builtinModule<Net>("net")?.isIP("::1"), 6);
  assertEquals(builtinModule("no such module"), null);
});

Deno.test("there is no builtin module where there is no process, or one that a bundler put there", () => {
  for (const process of [undefined, {}, { env: {}, versions: {} }]) {
    withProcess(process, () => assertEquals(builtinModule("net"), null));
  }
});

Deno.test("a platform is asked for each builtin module once", () => {
  const asked: string[] = [];
  const getBuiltinModule = (name: string): unknown => {
    asked.push(name);
    return name === "net" ? {} : undefined;
  };
  withProcess({ getBuiltinModule }, () => {
    const first = builtinModule("net");
    const again = [builtinModule("net") === first, builtinModule("tls"), builtinModule("tls")];
    assertEquals(again, [true, null, null]);
  });
  assertEquals(asked, ["net", "tls"]);
  assertEquals(builtinModule<Net>("net")?.isIP("::1"), 6);
});
