import { assert, assertEquals, assertFalse } from "@std/assert";
import { isToken, protocolFault } from "../../src/handshake/subprotocol.ts";

Deno.test("A token consists of at least one of the characters of RFC 9110 §5.6.2", () => {
  const marks = "!#$%&'*+-.^_`|~";
  for (let code = 0; code < 0x180; code++) {
    const character = String.fromCharCode(code);
    const legal = /[0-9A-Za-z]/.test(character) || marks.includes(character);
    assertEquals(isToken(character), legal, `U+${code.toString(16)}`);
    assertEquals(isToken(`a${character}b`), legal, `U+${code.toString(16)} inside`);
  }
  assertFalse(isToken(""));
  assertFalse(isToken("token\n"));
});

Deno.test("A subprotocol must be one of the offered ones. RFC 6455 §4.1", () => {
  assertEquals(protocolFault("", []), null);
  assertEquals(protocolFault("b", ["a", "b"]), null);
  assert(protocolFault("", ["a"])?.includes("none of the offered"));
  assert(protocolFault("c", ["a", "b"])?.includes("was not offered"));
  assert(protocolFault("A", ["a"]) !== null);
});
