import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import { ConnectError } from "../../src/web_socket/errors.ts";
import { handshake, over, type OverOptions } from "../../src/web_socket/over.ts";
import { FakeClock } from "../support/fake_clock.ts";

const DEFLATE = "permessage-deflate; client_no_context_takeover";

Deno.test("over: an open channel at once, with what the handshake agreed on", async () => {
  const { local, foreign } = channelPair<Uint8Array>();
  const client = over(local, { side: "client", protocol: "chat" });
  const server = over(foreign, { side: "server" });
  assertEquals([client.state, client.protocol, client.extensions], ["open", "chat", ""]);
  assertEquals([server.state, server.protocol, server.response], ["open", null, null]);
  await client.ready;
  client.sink.add("hello");
  assertEquals((await server.stream.next()).value, "hello");
  await client.sink.close(3000);
  assertEquals((await server.closed).code, 3000);
});

Deno.test("over: with compression agreed, messages come as they were", async () => {
  const { local, foreign } = channelPair<Uint8Array>();
  const client = over(local, { side: "client", extensions: DEFLATE });
  const server = over(foreign, { side: "server", extensions: DEFLATE });
  const text = "a message that is worth compressing. ".repeat(100);
  client.sink.add(text);
  assertEquals((await server.stream.next()).value, text);
  assertEquals(client.extensions, DEFLATE);
  await client.sink.close();
});

Deno.test("over: the side is required", () => {
  const { local } = channelPair<Uint8Array>();
  for (const side of [undefined, "both", null]) {
    const options = { side } as unknown as OverOptions;
    const error = assertThrows(() => over(local, options), TypeError);
    assertEquals(
      error.message,
      `Cannot make a channel: the side must be "client" or "server", got ${side}`,
    );
  }
});

Deno.test("over: extensions that nobody knows, or that are malformed, are a SyntaxError", () => {
  for (
    const extensions of [
      "x-other",
      "permessage-deflate, x-other",
      "permessage-deflate; bits=9",
      ";",
    ]
  ) {
    const { local } = channelPair<Uint8Array>();
    const error = assertThrows(() => over(local, { side: "client", extensions }), SyntaxError);
    assertEquals(error.message, `Cannot make a channel: unknown extensions: ${extensions}`);
  }
});

Deno.test("over: numbers out of range are a RangeError", () => {
  for (const name of ["closeTimeout", "highWaterMark", "maxMessageSize", "pingInterval"]) {
    const { local } = channelPair<Uint8Array>();
    assertThrows(() => over(local, { side: "client", [name]: -1 }), RangeError, name);
  }
});

Deno.test("handshake: malformed arguments throw, and nothing is written", async () => {
  const { local, foreign } = channelPair<Uint8Array>();
  assertThrows(() => handshake(local, "ftp://example.com"), SyntaxError);
  assertThrows(() => handshake(local, "ws://example.com", { protocols: [""] }), SyntaxError);
  assertThrows(() => handshake(local, "ws://example.com", { headers: { "a b": "" } }), TypeError);
  assertThrows(() => handshake(local, "ws://example.com", { closeTimeout: -1 }), RangeError);
  await local.sink.close();
  assertEquals((await foreign.stream.next()).done, true);
});

Deno.test("handshake: asks for the URL; without an answer it fails after connectTimeout", async () => {
  const { local, foreign } = channelPair<Uint8Array>();
  const clock = new FakeClock();
  const url = "ws://example.com:8080/chat?a=b";
  const channel = handshake(local, url, { connectTimeout: 100, protocols: ["v2"] }, clock);
  const { value } = await foreign.stream.next();
  const lines = new TextDecoder().decode(value).split("\r\n");
  assertEquals(lines[0], "GET /chat?a=b HTTP/1.1");
  assertEquals(lines.includes("Host: example.com:8080"), true, lines.join("\n"));
  assertEquals(lines.includes("Sec-WebSocket-Protocol: v2"), true, lines.join("\n"));
  clock.advance(100);
  const error = await channel.ready.catch((it: unknown) => it);
  assertInstanceOf(error, DOMException);
  assertEquals(error.message, "Connecting took longer than 100 ms, in phase handshake");
  assertEquals([(await channel.closed).initiator, clock.pending], ["timeout", 0]);
});

Deno.test("handshake: bytes that end before the answer are a ConnectError", async () => {
  const { local, foreign } = channelPair<Uint8Array>();
  const channel = handshake(local, "ws://example.com");
  await foreign.stream.next();
  await foreign.sink.close();
  const error = await channel.ready.catch((it: unknown) => it);
  assertInstanceOf(error, ConnectError);
  assertEquals(error.phase, "handshake");
});
