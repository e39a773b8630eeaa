import { assert, assertEquals } from "@std/assert";
import { HandshakeError } from "../../src/handshake/handshake_error.ts";

Deno.test("A HandshakeError has a name, a message and a reason", () => {
  const error = new HandshakeError("bad-accept", "The answer is wrong");
  assert(error instanceof Error);
  assertEquals(String(error), "HandshakeError: The answer is wrong");
  assertEquals(error.reason, "bad-accept");
});
