import { assert, assertEquals } from "@std/assert";
import * as failures from "../../src/protocol/failure.ts";
import { isSendable } from "../../status.ts";

Deno.test("every failure has a code that may be sent and a short ASCII phrase", () => {
  for (const [name, { code, reason }] of Object.entries(failures)) {
    assert(isSendable(code), name);
    assert(/^[A-Z][ -~]{5,60}$/.test(reason), name);
  }
});

Deno.test("failures: the codes of RFC 6455 §7.4.1", () => {
  const codes = Object.entries(failures).map(([name, { code }]) => [name, code]);
  const others = codes.filter(([, code]) => code !== 1002);
  assertEquals(Object.fromEntries(others), {
    BAD_UTF8: 1007,
    RATE_EXCEEDED: 1008,
    CORRUPT_COMPRESSION: 1007,
    MESSAGE_TOO_BIG: 1009,
    INFLATE_FAILED: 1011,
  });
});
