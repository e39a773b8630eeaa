/** The channel that users hold, with any transport. ChannelCore implements its behaviour. */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { SocketChannel } from "../../src/native/socket_channel.ts";
import { ServerChannel } from "../../src/server/server_channel.ts";
import { Channel } from "../../src/web_socket/channel.ts";
import { ChannelCore } from "../../src/web_socket/channel_core.ts";
import { NO_CAPABILITIES } from "../../src/web_socket/capabilities.ts";
import { microtasks, settled } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { hex } from "../support/bytes.ts";
import { closePayload, frame } from "../support/frames.ts";
import { wireRig } from "./support.ts";

/** The documented members of a WebSocketChannel. */
const MEMBERS: readonly string[] = [
  ...["stream", "sink", "readable", "writable", "pipe", "transform", "transformStream"],
  ...["transformSink", "changeStream", "changeSink", "cast", "ready", "whenReady", "closing"],
  ...["closed", "url", "state", "protocol", "extensions", "closeCode", "closeReason", "response"],
  "connectionInfo",
  ...["capabilities", "ping", "pong", "latency", "terminate", "ref", "unref"],
];

/** The members that a class has beyond {@linkcode MEMBERS}; `more` holds those of a subclass. */
function surplus(prototype: object, more: readonly string[] = []): string[] {
  const found = new Set<string>();
  for (let it = prototype; it !== Object.prototype; it = Object.getPrototypeOf(it)) {
    for (const name of Object.getOwnPropertyNames(it)) found.add(name);
  }
  const known = [...MEMBERS, ...more, "constructor"];
  return [...found].filter((name) => !known.includes(name));
}

Deno.test("channel S96 it has the members of a WebSocketChannel, and none of its transport", () => {
  const { channel } = wireRig();
  assertEquals(MEMBERS.filter((name) => !(name in channel)), []);
  assertEquals(surplus(Channel.prototype), []);
  assertEquals(surplus(SocketChannel.prototype, ["socket"]), []);
  assertEquals(surplus(ServerChannel.prototype, ["request", "context"]), []);
  assertEquals(Object.getOwnPropertyNames(channel), []);
  assert(Symbol.asyncDispose in channel);
  channel.terminate();
});

Deno.test("channel: only this package's own channels reveal their internals", () => {
  const { channel } = wireRig();
  assert(Channel.coreOf(channel) instanceof ChannelCore);
  assertEquals(Channel.coreOf({ sink: channel.sink, stream: channel.stream }), null);
  assertEquals(Channel.coreOf(Object.create(channel)), null);
  channel.terminate();
});

Deno.test("channel S13 S14 S158 each getter returns the same object every time", () => {
  const { channel } = wireRig();
  for (
    const name of ["stream", "sink", "readable", "writable", "ready", "closing", "closed"] as const
  ) {
    assertStrictEquals<unknown>(channel[name], channel[name], name);
  }
  assertStrictEquals(channel.readable, channel.stream.readable);
  assertStrictEquals(channel.writable, channel.sink.writable);
  channel.terminate();
});

type Print = (value: unknown, options: unknown) => string;
type Inspect = (depth: number, options: unknown, print: Print) => string;

Deno.test("channel: its printed form shows its state, and no message", async () => {
  const { channel, wire } = wireRig({ side: "server" });
  const KEY = [1, 2, 3, 4];
  wire.receive(frame({ opcode: 1, payload: "secret".repeat(10), key: KEY }));
  channel.sink.add("secrets");
  const print: Print = (value) => JSON.stringify(value);
  const symbol = Symbol.for("nodejs.util.inspect.custom");
  const inspect = (): string =>
    (channel as unknown as Record<symbol, Inspect>)[symbol]?.(2, {}, print) ?? "";
  const expected = {
    url: "",
    state: "open",
    transport: "bytes",
    protocol: null,
    bufferedAmount: 7,
    queuedAmount: 60,
    closeCode: null,
  };
  assertEquals(inspect(), `WebSocketChannel ${JSON.stringify(expected)}`);
  await microtasks();
  channel.stream.listen(() => {});
  await microtasks();
  wire.receive(frame({ opcode: 8, payload: closePayload(4000, "secret"), key: KEY }));
  await channel.closed;
  const over = { state: "closed", bufferedAmount: 0, queuedAmount: 0, closeCode: 4000 };
  assertEquals(inspect(), `WebSocketChannel ${JSON.stringify({ ...expected, ...over })}`);
});

Deno.test("channel: whenReady resolves when the sink is ready; a signal ends only the wait", async () => {
  const core = new ChannelCore({}, new ManualClock(), {
    transport: "bytes",
    capabilities: NO_CAPABILITIES,
    url: () => "ws://host/",
  });
  const channel = new Channel(core);
  assertEquals(channel.url, "ws://host/");
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = channel.whenReady({ signal });
  const patient = channel.whenReady();
  const reason = new Error("enough");
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => waiting), reason);
  assertEquals([channel.state, await settled(patient)], ["connecting", false]);
  core.open({ protocol: null, extensions: "", response: null });
  await patient;
  await channel.whenReady({ signal: new AbortController().signal });
  assertThrows(() => void channel.whenReady({ timeout: 5 } as object), TypeError, "timeout");
});

Deno.test("channel: closing fulfils when either side starts to close", async () => {
  const local = wireRig();
  assertEquals(await settled(local.channel.closing), false);
  void local.channel.sink.close();
  assertEquals([await settled(local.channel.closing), await settled(local.channel.closed)], [
    true,
    false,
  ]);
  local.channel.terminate();
  const remote = wireRig();
  remote.channel.stream.listen(() => {});
  remote.wire.receive(frame({ opcode: 8, payload: closePayload(1000, "") }));
  assertEquals([await settled(remote.channel.closing), remote.channel.state], [true, "closing"]);
  remote.channel.terminate();
});

Deno.test("channel: the error about a wrong options argument names the option to use", () => {
  const { channel } = wireRig();
  const text = (call: () => unknown): string => assertThrows(call, TypeError).message;
  const bag = "Cannot use the options: they must be an object, got";
  const { signal } = new AbortController();
  assertEquals(
    text(() => channel.whenReady(signal as never)),
    `${bag} an AbortSignal. Pass { signal }`,
  );
  assertEquals(
    text(() => channel.ping(new Uint8Array(1) as never)),
    `${bag} an object. Pass { payload }`,
  );
  assertEquals(
    text(() => channel.ping({ payload: "x" as never })),
    "Cannot use the option payload: it must be bytes or an ArrayBuffer, got a string",
  );
  channel.terminate();
});

Deno.test("channel: ping and pong check and copy their payloads", async () => {
  const { channel, wire } = wireRig({ side: "server" });
  for (const wrong of ["text", [1], null]) {
    const payload = wrong as unknown as Uint8Array;
    assertThrows(() => channel.pong(payload), TypeError, "its payload must be bytes");
    assertThrows(() => void channel.ping({ payload }), TypeError);
  }
  const long = new Uint8Array(126);
  assertThrows(() => channel.pong(long), RangeError, "at most 125 bytes, got 126");
  assertThrows(() => void channel.ping({ payload: long }), RangeError);
  const payload = Uint8Array.of(1, 2);
  const ping = channel.ping({ payload });
  assert(channel.pong(payload));
  assert(channel.pong());
  payload.fill(0);
  await microtasks();
  assertEquals(wire.sent(), "89020102" + "8a020102" + "8a00");
  wire.receive(frame({ opcode: 10, payload: Uint8Array.of(1, 2), key: [1, 2, 3, 4] }));
  assertEquals([await ping, channel.latency], [0, 0]);
  channel.terminate();
  assertEquals([channel.pong(), hex(payload)], [false, "0000"]);
});
