/** The channel with a line whose connections open late or never, like those of resumption. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Line, LineEvents, LineOptions, Resumption } from "../../src/reconnecting/mod.ts";
import { PlainLine } from "../../src/reconnecting/plain_line.ts";
import { QueueFullError } from "../../src/web_socket/errors.ts";
import type { Message, WebSocketChannel } from "../../src/web_socket/web_socket_channel.ts";
import { microtasks, record } from "../support/events.ts";
import { NOTHING_LEFT, Rig } from "./support.ts";

/** A line that opens when the peer has sent "hello". */
class HelloLine extends PlainLine implements Line {
  readonly events: LineEvents;
  readonly log: string[] = [];
  #connection: WebSocketChannel | null = null;

  constructor(events: LineEvents, options: LineOptions) {
    super(events, options);
    this.events = events;
  }

  override offer(protocols: readonly string[]): readonly string[] {
    return ["hello.v1", ...protocols];
  }

  override open(connection: WebSocketChannel): void {
    this.#connection = connection;
  }

  override receive(message: Message): Message {
    if (message !== "hello" || this.#connection === null) return message;
    super.open(this.#connection);
    this.#connection = null;
    return null as unknown as Message;
  }

  override lose(...info: Parameters<PlainLine["lose"]>): void {
    this.log.push("lose");
    super.lose(...info);
  }

  pause(): void {
    this.log.push("pause");
  }

  resume(): void {
    this.log.push("resume");
  }
}

/** A resumption, and the lines that it has created. */
function hello(): { resume: Resumption; lines: HelloLine[] } {
  const lines: HelloLine[] = [];
  const createLine: Resumption["createLine"] = (events, options) => {
    const line = new HelloLine(events, options);
    lines.push(line);
    return line;
  };
  return { resume: { createLine }, lines };
}

Deno.test("line: the channel is connecting until the peer has sent its hello", async () => {
  const { resume } = hello();
  const rig = new Rig({ resume, target: { url: "ws://host/", protocols: ["mine"] } });
  const { events } = record(rig.channel.stream);
  rig.channel.sink.add("early");
  await rig.open();
  assertEquals(rig.asked[0]?.[1].protocols, ["hello.v1", "mine"]);
  assertEquals([rig.names, rig.channel.connection, rig.socket.sent], ["connecting", null, []]);
  rig.socket.message("hello");
  rig.socket.message("news");
  assertEquals([rig.names, rig.socket.sent, events], ["connecting open", ["early"], ["news"]]);
  await rig.channel.close();
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("line: each missing hello counts as one failed attempt", async () => {
  const { resume, lines } = hello();
  const rig = new Rig({ resume, connectTimeout: 1000 });
  for (let i = 1; i <= 4; i++) {
    await rig.open();
    await rig.advance(1000);
    const { state } = rig.channel;
    assert(state.name === "waiting", state.name);
    assertEquals([state.attempt, state.delay], [i + 1, 250 * 2 ** (i - 1)]);
    assertEquals([state.info.initiator, (state.info.error as Error).name], [
      "timeout",
      "TimeoutError",
    ]);
    await rig.advance(state.delay);
    assertEquals(rig.sockets.length, i + 1);
  }
  assertEquals(lines[0]?.log, ["lose", "lose", "lose", "lose"]);
  await rig.channel.close();
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("line: a connection lost before the hello counts as a failed attempt", async () => {
  const { resume } = hello();
  const rig = new Rig({ resume });
  await rig.lose();
  for (let i = 2; i < 5; i++) {
    rig.channel.reconnect();
    await rig.open();
    await rig.lose();
    const { state } = rig.channel;
    assertEquals(state.name === "waiting" && state.attempt, i + 1);
  }
  await rig.channel.close();
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("line: close, abort and reconnect work before the hello", async () => {
  for (const way of ["close", "abort"] as const) {
    const controller = new AbortController();
    const rig = new Rig({ resume: hello().resume, signal: controller.signal });
    await rig.open();
    if (way === "close") void rig.channel.close(1000);
    else controller.abort();
    await microtasks();
    assertEquals([rig.channel.state.name, rig.left], ["closed", NOTHING_LEFT]);
  }
  const rig = new Rig({ resume: hello().resume });
  await rig.open();
  assertEquals([rig.channel.reconnect(), rig.sockets.length], [true, 1]);
  await rig.channel.close();
});

Deno.test("line: the channel reports a lost session before it is open", async () => {
  const { resume, lines } = hello();
  const rig = new Rig({ resume });
  await rig.open();
  lines[0]?.events.onOpen({ protocol: null, resumable: true, unacknowledged: ["lost"] });
  const [, reset, open] = rig.states;
  assertEquals(reset, { name: "reset", unacknowledged: ["lost"] });
  assertEquals(open?.name === "open" && open.resumable, true);
  assertEquals([rig.channel.resumable, rig.socket.readyState], [true, 1]);
  await rig.lose(1000);
  assertEquals(rig.channel.resumable, false);
});

Deno.test("line: a protocol error ends the connection, and a final one ends the channel", async () => {
  const { resume, lines } = hello();
  const rig = new Rig({ resume });
  await rig.open();
  rig.socket.message("hello");
  lines[0]?.events.onFault(new Error("nonsense"));
  await microtasks();
  const { state } = rig.channel;
  assert(state.name === "waiting");
  assertEquals([state.delay, state.info.initiator], [250, "protocol-error"]);
  await rig.advance(250);
  await rig.open();
  lines[0]?.events.onFault(new Error("never"), true);
  const { error } = await rig.channel.closed;
  assertEquals((error as Error).message, "never");
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("line: the channel pauses a line that can pause itself, instead of its connection", async () => {
  const { resume, lines } = hello();
  const rig = new Rig({ resume });
  const { subscription } = record(rig.channel.stream);
  await rig.open();
  rig.socket.message("hello");
  subscription.pause();
  rig.socket.message("x".repeat(70_000));
  rig.socket.message("y");
  assertEquals(lines[0]?.log, ["pause"]);
  subscription.resume();
  await microtasks();
  assertEquals(lines[0]?.log, ["pause", "resume"]);
  await rig.channel.close();
});

Deno.test("line: add throws when the line is full, also while open", async () => {
  const { resume, lines } = hello();
  const rig = new Rig({ resume, maxBuffer: 10 });
  await rig.open();
  rig.socket.message("hello");
  Object.defineProperty(lines[0], "isFull", { value: true });
  assertThrows(() => rig.channel.sink.add("x"), QueueFullError, "maxBuffer (10 bytes)");
  await rig.channel.close();
});
