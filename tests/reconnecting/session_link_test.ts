import { assertEquals } from "@std/assert";
import { BufferPool } from "../../src/reconnecting/buffer_pool.ts";
import { kept, UNLIMITED } from "../../src/reconnecting/session.ts";
import { SessionLink, type SessionLinkEvents } from "../../src/reconnecting/session_link.ts";
import type { Message, WebSocketChannel } from "../../src/web_socket/web_socket_channel.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { LightConnection } from "./resume_world.ts";

const EVENTS: SessionLinkEvents = {
  transmit: ({ sink }, wire, options) => void sink.add(wire as Message, options),
  onDrained() {},
  onAcknowledged() {},
  onOverrun() {},
  onFault() {},
};

/** A link, and the pool of unread messages. */
function create(events: Partial<SessionLinkEvents> = {}) {
  const unread = new BufferPool(1000);
  const limits = { pool: UNLIMITED, unread, maxBuffer: 1000 };
  const clock = new ManualClock();
  return { unread, clock, link: new SessionLink(limits, clock, { ...EVENTS, ...events }) };
}

/** An open connection that records its messages. */
function connect(link: SessionLink): LightConnection {
  const connection = new LightConnection();
  link.session.resume(0, 1000, false);
  link.open(connection as unknown as WebSocketChannel);
  return connection;
}

Deno.test("session link: unread messages count in the pool until they are read or the session ends", () => {
  const { link, unread } = create();
  connect(link);
  link.receive("=read at once");
  assertEquals(unread.size, 0);
  link.withhold();
  link.receive(`=${"x".repeat(50)}`);
  link.receive(`=${"x".repeat(40)}`);
  assertEquals(unread.size, 90);
  link.goOn();
  assertEquals(unread.size, 0);
  link.withhold();
  link.receive(`=${"x".repeat(60)}`);
  assertEquals(unread.size, 60);
  link.end();
  assertEquals(unread.size, 0);
  link.end();
  assertEquals(unread.size, 0);
});

Deno.test("session link: an ending session requests the last acknowledgement on each connection", () => {
  const { link } = create();
  const first = connect(link);
  link.send(kept("last words", undefined));
  link.finish();
  assertEquals(first.said, ["=last words", "#0", "."]);
  link.lose();
  const second = connect(link);
  assertEquals(second.said, ["=last words", "#0", "."]);
  link.end();
});

Deno.test("session link: a sink in use by another caller is an error, a closed one is not", () => {
  const faults: unknown[] = [];
  const { link } = create({ onFault: (error) => void faults.push(error) });
  const connection = connect(link);
  const error = new DOMException("in use", "InvalidStateError");
  connection.sink.add = () => {
    throw error;
  };
  link.probe();
  assertEquals(faults, [error]);
  connection.state = "closing";
  link.probe();
  assertEquals(faults, [error]);
});
