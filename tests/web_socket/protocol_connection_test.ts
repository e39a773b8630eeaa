import { assert, assertEquals, assertFalse } from "@std/assert";
import { PreparedMessage } from "../../src/protocol/prepared_message.ts";
import { Protocol } from "../../src/protocol/protocol.ts";
import { ChannelSinkController } from "../../src/stream_channel/sink_controller.ts";
import { ChannelStreamController } from "../../src/stream_channel/stream_controller.ts";
import type { TransportFailure } from "../../src/web_socket/byte_transport.ts";
import type { Clock } from "../../src/web_socket/clock.ts";
import {
  type ConnectionOwner,
  ProtocolConnection,
} from "../../src/web_socket/protocol_connection.ts";
import type { ChannelState, Message } from "../../src/web_socket/web_socket_channel.ts";
import type { MessageInput } from "../../src/web_socket/web_socket_sink.ts";
import { microtasks, record, settled } from "../support/events.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FakeBytes } from "./support.ts";

class Owner implements ConnectionOwner {
  readonly told: unknown[] = [];
  conclude: () => void = () => {};
  readonly state: ChannelState = "open";
  readonly clock: Clock = new FakeClock();
  readonly highWaterMark = 100;
  readonly incoming: ChannelStreamController<Message> = new ChannelStreamController<Message>();
  readonly outgoing: ChannelSinkController<MessageInput>;
  readonly bytes: FakeBytes = new FakeBytes({ highWaterMark: 100 });
  readonly connection: ProtocolConnection = new ProtocolConnection(this, this.bytes);

  constructor() {
    const { connection } = this;
    const amount = (): number => connection.amount;
    this.outgoing = new ChannelSinkController<MessageInput>({
      get bufferedAmount(): number {
        return amount();
      },
      add: (message) => connection.send(message, undefined),
      close: () => {},
      abort: () => {},
      watch: () => connection.watch(),
    }, { highWaterMark: 100 });
  }

  speak(): this {
    this.connection.speak(
      new Protocol({
        side: "server",
        maskingKeys: () => 0,
        maxMessageSize: 1000,
      }, this.connection),
    );
    return this;
  }

  onEarlyEnding(conclude: () => void): void {
    this.told.push("early");
    this.conclude = conclude;
  }

  onClose(code: number, reason: string): void {
    this.told.push(["close", code, reason]);
  }

  onFailure(code: number): void {
    this.told.push(["failure", code]);
  }

  onOver(): void {
    this.told.push("over");
  }

  onEnd(failure: TransportFailure | null): void {
    this.told.push(["end", failure]);
  }

  onDead(): void {
    this.told.push("dead");
  }
}

/** A frame of a client, masked with zeros. */
function frame(flags: number, ...payload: number[]): Uint8Array {
  return Uint8Array.of(flags, 0x80 | payload.length, 0, 0, 0, 0, ...payload);
}

Deno.test("connection: what is sent in one turn leaves in one write", async () => {
  const { connection, bytes } = new Owner().speak();
  connection.send("a", undefined);
  connection.send(Uint8Array.of(1), undefined);
  assertEquals(bytes.written.length, 0);
  assertEquals([connection.amount, connection.wireAmount], [2, 6]);
  await microtasks();
  assertEquals(bytes.written.length, 1);
  assertEquals(bytes.sent(), "810161820101");
  assertEquals(connection.amount, 0);
});

Deno.test("connection: much is written at once, to a transport that doesn't call back from it", async () => {
  const { connection, bytes } = new Owner().speak();
  const releasing = Object.assign(bytes, { releasesChunks: true });
  connection.send(new Uint8Array(16_000), undefined);
  assertEquals(releasing.written.length, 0);
  connection.send(new Uint8Array(16_000), undefined);
  assertEquals(releasing.written.length, 1);
  assertEquals(connection.amount, 0);
  connection.send("a", undefined);
  assertEquals(releasing.written.length, 1);
  await microtasks();
  assertEquals(releasing.written.splice(0).length, 2);
  releasing.full = true;
  connection.send(new Uint8Array(40_000), undefined);
  connection.send(new Uint8Array(40_000), undefined);
  // The first has found no room: the second waits in the protocol.
  assertEquals(releasing.written.reduce((sum, { length }) => sum + length, 0), 40_004);
  assertEquals([connection.amount, connection.wireAmount], [80_000, 80_008]);

  const other = new Owner().speak();
  other.connection.send(new Uint8Array(60_000), undefined);
  assertEquals(other.bytes.written.length, 0);
  await microtasks();
  assertEquals(other.connection.amount, 0);
});

Deno.test("connection: so are many, and what took long to compress, however little it became", () => {
  const { connection, bytes } = new Owner().speak();
  Object.assign(bytes, { releasesChunks: true });
  for (let i = 0; i < 63; i++) connection.send("", undefined);
  assertEquals(bytes.written.length, 0);
  connection.send("", undefined);
  assertEquals([bytes.written.length, bytes.sent()], [1, "8100".repeat(64)]);
  bytes.written.length = 0;
  const shared = new PreparedMessage("");
  for (let i = 0; i < 63; i++) connection.sendPrepared(shared, undefined);
  assertEquals(bytes.written.length, 0);
  connection.sendPrepared(shared, undefined);
  assertEquals(bytes.sent(), "8100".repeat(64));
  connection.speak(
    new Protocol({
      side: "server",
      maskingKeys: () => 0,
      maxMessageSize: 1000,
      deflate: { compress: () => Uint8Array.of(1), decompress: () => new Uint8Array(0) },
    }, connection),
  );
  connection.send(new Uint8Array(3000), { compress: false });
  connection.send(new Uint8Array(3000), undefined);
  assert(connection.amount > 3000);
  connection.send(new Uint8Array(200), undefined);
  assertEquals(connection.amount, 0);
});

Deno.test("connection: who waits for all to be handed on is told, though more is written meanwhile", async () => {
  const owner = new Owner().speak();
  const { connection, bytes } = owner;
  Object.assign(bytes, { releasesChunks: true, full: true });
  connection.send(new Uint8Array(40_000), undefined);
  connection.send(new Uint8Array(40_000), undefined);
  const flushed = owner.outgoing.flush();
  await microtasks();
  bytes.drain();
  bytes.full = true;
  await microtasks();
  assertFalse(await settled(flushed));
  bytes.drain();
  await flushed;
  assertEquals(connection.amount, 0);
});

Deno.test("connection: what comes is told to the channel", () => {
  const owner = new Owner().speak();
  const { events } = record(owner.incoming.stream);
  owner.bytes.receive(frame(0x81, 97), frame(0x88, 0x03, 0xe8));
  assertEquals(events, ["a"]);
  assertEquals(owner.told, [["close", 1000, ""]]);
  assert(owner.connection.isClosed);
  assertEquals(owner.connection.sentClose, { code: 1000, reason: "" });
});

Deno.test("connection: a broken rule, an end, a sink that is over", async () => {
  const owner = new Owner().speak();
  record(owner.incoming.stream);
  owner.bytes.receive(frame(0xff));
  assertEquals(owner.told.splice(0), [["failure", 1002]]);
  owner.bytes.outgoing.finish();
  await microtasks();
  owner.bytes.incoming.end();
  assertEquals(owner.told, ["over", ["end", null]]);
});

Deno.test("connection: the peer's Close waits for a reader that is behind, and so does the end", () => {
  const owner = new Owner().speak();
  const { connection, bytes } = owner;
  bytes.receive(frame(0x81, 97), frame(0x88, 0x03, 0xe8), frame(0x81, 98));
  bytes.incoming.end();
  assertEquals(owner.told.splice(0), ["early"]);
  connection.send("answer", undefined);
  owner.conclude();
  assertEquals(owner.told.splice(0), [["close", 1000, ""], ["end", null]]);
  owner.conclude();
  assertEquals(owner.told, []);
  assertEquals(connection.sentClose, { code: 1000, reason: "" });
});

Deno.test("connection: a transport that is over, or a Close of ours, doesn't wait for the reader", async () => {
  const broken = new Owner().speak();
  broken.bytes.receive(frame(0x81, 97), frame(0xff));
  broken.bytes.outgoing.finish();
  await microtasks();
  assertEquals(broken.told, ["early", ["failure", 1002], "over"]);
  const closing = new Owner().speak();
  closing.bytes.receive(frame(0x81, 97), frame(0x88, 0x03, 0xe8));
  closing.connection.close(4000, undefined);
  assertEquals(closing.told, ["early", ["close", 1000, ""]]);
  assertEquals(closing.connection.sentClose, { code: 4000, reason: "" });
  const failing = new Owner().speak();
  failing.bytes.receive(frame(0x88, 0x03, 0xe8));
  const error = new Error("reset");
  failing.bytes.incoming.fail(error);
  assertEquals(failing.told, ["early", ["close", 1000, ""], ["end", { error }]]);
});

Deno.test("connection: output waits in the protocol while the transport is full", async () => {
  const owner = new Owner().speak();
  const { connection, bytes } = owner;
  bytes.full = true;
  connection.send(new Uint8Array(100), undefined);
  await microtasks();
  assertEquals(bytes.written.splice(0).length, 1);
  connection.send("a", undefined);
  await microtasks();
  assertEquals(bytes.written, []);
  const { ready } = owner.outgoing;
  const flushed = owner.outgoing.flush();
  assertFalse(await settled(ready));
  bytes.drain();
  await flushed;
  await ready;
  assertEquals(bytes.sent(), "810161");
});

Deno.test("connection: paused, nothing is read, until it goes on or what is left is drained", async () => {
  for (const goOn of ["resume", "drain"] as const) {
    const owner = new Owner().speak();
    const { events } = record(owner.incoming.stream);
    owner.connection.pause();
    assertFalse(owner.connection.isReading);
    owner.bytes.receive(frame(0x81, 97));
    await microtasks();
    assertEquals(events, []);
    owner.connection[goOn]();
    await microtasks();
    assertEquals(events, ["a"]);
    owner.connection.pause();
    assertEquals(owner.connection.isReading, goOn === "drain");
  }
});

Deno.test("connection: pings, and what makes them is made when one is asked for", async () => {
  const owner = new Owner().speak();
  const { connection, bytes } = owner;
  assertEquals(connection.latency, null);
  const ping = connection.ping();
  await microtasks();
  assertEquals(bytes.sent(), "890400000001");
  bytes.receive(frame(0x8a, 0, 0, 0, 1));
  assertEquals([await ping, connection.latency], [0, 0]);
  connection.stopPings();
});

Deno.test("connection: finish writes what is left, and ends the transport behind it", async () => {
  const { connection, bytes } = new Owner().speak();
  connection.send("a", undefined);
  const finished = connection.finish();
  await finished;
  assertEquals(bytes.sent(), "810161");
  assertEquals(bytes.log, ["close"]);
});
