// Not in browsers: they have no builtins

import { assertEquals } from "@std/assert";
import { builtinModule } from "../../src/realm/builtin_module.ts";
import { withProcess } from "../support/process.ts";

interface Net {
  isIP(host: string): number;
}

Deno.test("builtin module: Deno, Node and Bun return the module", () => {
  assertEquals(builtinModule<Net>("net")?.isIP("::1"), 6);
  assertEquals(builtinModule("no such module"), null);
});

Deno.test("builtin module: there is none without a process object, or with a bundler's replacement", () => {
  for (const process of [undefined, {}, { env: {}, versions: {} }]) {
    withProcess(process, () => assertEquals(builtinModule("net"), null));
  }
});

Deno.test("builtin module: the platform is asked once for each module", () => {
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
