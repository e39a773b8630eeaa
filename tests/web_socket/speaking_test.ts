import { assertEquals, assertThrows } from "@std/assert";
import type { HandshakeAgreement } from "../../src/handshake/client_handshake.ts";
import { zlibAbilities } from "../../src/permessage_deflate/deflate.ts";
import { Channel } from "../../src/web_socket/channel.ts";
import { Exchange } from "../../src/web_socket/exchange.ts";
import { offeredCompression, speak } from "../../src/web_socket/speaking.ts";
import { microtasks, record } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { coreWith } from "../support/own_channels.ts";
import { fromHex } from "../support/bytes.ts";
import { FakeWire } from "./support.ts";

const AGREEMENT: HandshakeAgreement = { protocol: "a", extensions: "", deflate: null };

Deno.test("speaking: the channel is open, and owns the wire", async () => {
  const core = coreWith({ pingInterval: 1000 }, new ManualClock());
  const channel = new Channel(core);
  channel.sink.add("early");
  const { events } = record(channel.stream);
  const wire = new FakeWire();
  speak(core, wire, { side: "server", agreement: AGREEMENT, options: { pingInterval: 1000 } });
  await channel.ready;
  assertEquals([channel.state, channel.protocol], ["open", "a"]);
  wire.receive(fromHex("8185 37fa213d 7f9f4d5158"));
  await microtasks();
  assertEquals([events, wire.sent()], [["Hello"], "8105" + "6561726c79"]);
  channel.terminate();
  assertEquals((core.clock as ManualClock).pending, 0);
});

Deno.test("speaking: bytes that arrived after the opening handshake come first, RFC 6455 §4.1", async () => {
  const core = coreWith({}, new ManualClock());
  const { events } = record(new Channel(core).stream);
  const wire = new FakeWire();
  const exchange = new Exchange(wire, { clock: new ManualClock(), ms: 1000 });
  core.opener = exchange;
  const answer = exchange.send(new Uint8Array(), {
    isBare: () => true,
    wantsBody: () => false,
  });
  const text = new TextEncoder().encode("HTTP/1.1 101 Switching\r\n\r\n");
  wire.receive(Uint8Array.of(...text, 0x81, 1, 97), fromHex("810162"));
  await answer;
  speak(core, exchange, { side: "client", agreement: AGREEMENT, options: {} });
  wire.receive(fromHex("810163"));
  assertEquals(events, ["a", "b", "c"]);
  core.terminate();
  assertEquals(wire.log, ["destroy"]);
});

Deno.test("speaking: a channel that has already ended releases its wire", () => {
  const core = coreWith({}, new ManualClock());
  core.terminate();
  const wire = new FakeWire();
  speak(core, wire, { side: "client", agreement: AGREEMENT, options: { pingInterval: 10 } });
  assertEquals([wire.log, wire.events, core.transport], [["destroy"], null, null]);
  const other = new FakeWire();
  const options = { side: "client", agreement: AGREEMENT, options: {} } as const;
  speak(core, new Exchange(other, { clock: new ManualClock(), ms: 1000 }), options);
  assertEquals(other.log, ["destroy"]);
});

Deno.test("speaking: a wire that ends while the channel takes it over leaves nothing behind", async () => {
  const clock = new ManualClock();
  const core = coreWith({}, clock);
  const wire = new FakeWire();
  const exchange = new Exchange(wire, { clock: new ManualClock(), ms: 1000 });
  wire.finish();
  speak(core, exchange, {
    side: "client",
    agreement: AGREEMENT,
    options: { pingInterval: 1000 },
  });
  assertEquals([core.state, clock.pending], ["closed", 0]);
  assertEquals((await core.life.closed).code, 1006);
});

Deno.test("speaking: an error of listening to the wire is thrown to the user", () => {
  const core = coreWith({}, new ManualClock());
  const wire = new FakeWire();
  wire.listen = () => {
    throw new RangeError("another error");
  };
  assertThrows(
    () => speak(core, wire, { side: "client", agreement: AGREEMENT, options: {} }),
    RangeError,
  );
  assertEquals(wire.log, []);
});

Deno.test("speaking: a client offers compression if requested and supported", () => {
  assertEquals([offeredCompression(undefined), offeredCompression(false)], [null, null]);
  const isAvailable = zlibAbilities().available;
  assertEquals(offeredCompression(true) !== null, isAvailable);
  assertEquals(offeredCompression({ threshold: 10 })?.threshold, isAvailable ? 10 : undefined);
});
