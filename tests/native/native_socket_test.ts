import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { createSocket } from "../../src/native/native_channel.ts";
import { checkSocket, hintOf } from "../../src/native/native_socket.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";

Deno.test("native socket: checkSocket accepts objects with the interface of WebSocket", () => {
  checkSocket(new FakeWebSocket());
  for (const other of [null, undefined, {}, "socket", { addEventListener: true }]) {
    assertThrows(() => checkSocket(other), TypeError, "must have the interface of one");
  }
});

Deno.test("native socket: an invalid URL throws", () => {
  assertThrows(() => createSocket("ws://", [], []));
});

Deno.test("native socket: the hint of an error event is its error or its message", () => {
  const error = new Error("refused");
  assertStrictEquals(hintOf({ error, message: "text" }), error);
  assertEquals(hintOf({ message: "text" }), "text");
  assertEquals(hintOf({}), undefined);
});
