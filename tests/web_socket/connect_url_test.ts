import { assertEquals, assertThrows } from "@std/assert";
import { parseProtocols, parseUrl } from "../../src/web_socket/connect_url.ts";

Deno.test("connect URL: it is ws: or wss:, keeps its user info, and has no fragment", () => {
  assertEquals(parseUrl("https://user:pass@host/a?b").href, "wss://user:pass@host/a?b");
  assertThrows(() => parseUrl("ftp://host"), SyntaxError, "the URL's scheme");
  assertThrows(() => parseUrl("ws://host/#"), SyntaxError, "no fragment");
});

Deno.test("connect URL: a subprotocol that is not a token, or is repeated, is a SyntaxError", () => {
  for (const bad of ["", " ", "a b", "a,b", "a\r\nb", "ä", "a/b", "(a)"]) {
    const error = assertThrows(() => parseProtocols(["ok", bad]), SyntaxError);
    const fault = "subprotocol 2 of 2 must be a token, without blanks and commas";
    assertEquals(error.message, `Cannot connect: ${fault}`);
  }
  const twice = assertThrows(() => parseProtocols(["a", "b", "a"]), SyntaxError);
  assertEquals(twice.message, "Cannot connect: subprotocol 3 of 3 is offered twice");
  assertThrows(() => parseProtocols([1] as unknown as string[]), SyntaxError);
});

// Header fields.
