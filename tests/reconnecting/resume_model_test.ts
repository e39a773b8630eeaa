/**
 * A model of resumption: each message arrives once and in order, both ways, despite any fault of the connections.
 * `RESUME_RUNS` sets the number of random runs.
 */

import process from "node:process";
import { assertEquals } from "@std/assert";
import { ReconnectingChannel, resumption, Sessions } from "../../src/reconnecting/mod.ts";
import { faultyPair, ManualClock, type WebSocketChannelPair } from "../../src/testing/mod.ts";
import type { Message, WebSocketChannel } from "../../src/web_socket/web_socket_channel.ts";
import { microtasks } from "../support/events.ts";
import { type Random, seededRandom, testSeed } from "../support/random.ts";
import { turn } from "../support/turns.ts";
import { ResumeClient, serveSession } from "./resume_world.ts";

/** The number of random runs. */
const RUNS = Number(process.env["RESUME_RUNS"] ?? 1000);

/** The maximum number of checks until both sides are done. */
const MAX_STEPS = 5000;

/** Both sides of one session, and the messages that they should receive. */
class World {
  readonly clock: ManualClock = new ManualClock();
  readonly sessions: Sessions;
  readonly client: ResumeClient;
  readonly toServer: Message[] = [];
  readonly toClient: Message[] = [];
  readonly atServer: Message[] = [];
  /** The server's channels: there must only ever be one. */
  readonly channels: WebSocketChannel[] = [];
  /** The messages added before there is a channel. */
  readonly early: Message[] = [];
  readonly pairs: { client: WebSocketChannel; server: WebSocketChannel }[] = [];
  #seed = 0;
  #steps = 0;

  constructor(maxBuffer?: number) {
    this.sessions = new Sessions({ clock: this.clock, maxBuffer, timeout: 1e8 });
    this.client = new ResumeClient(this.clock, maxBuffer);
  }

  /** Opens another connection, with faults. */
  connect(faults: { split?: [number, number]; delay?: [number, number]; reset?: number }): void {
    const { clock } = this;
    const options = { seed: this.#seed++, protocol: "resume.v1", clock, ...faults };
    const pair = faultyPair(options);
    this.pairs.push(pair);
    void serveSession(this.sessions, (channel) => {
      this.channels.push(channel as WebSocketChannel);
      channel.stream.listen((message) => this.atServer.push(message));
      for (const message of this.early.splice(0)) channel.sink.add(message);
    }, pair.server);
    this.client.connect(pair.client);
  }

  addAtClient(message: Message): void {
    this.toServer.push(message);
    this.client.line.add(message, undefined);
  }

  addAtServer(message: Message): void {
    this.toClient.push(message);
    const channel = this.channels[0];
    if (channel === undefined) this.early.push(message);
    else channel.sink.add(message);
  }

  get hasRoomAtServer(): boolean {
    return this.channels[0]?.sink.hasRoom ?? this.early.length === 0;
  }

  get isDone(): boolean {
    return this.client.line.bufferedAmount === 0 && this.sessions.bufferedAmount === 0 &&
      this.atServer.length === this.toServer.length &&
      this.client.received.length === this.toClient.length;
  }

  async step(): Promise<void> {
    await microtasks(8);
    // Senders that wait for room continue in a later turn.
    if (this.#steps++ % 64 === 63) await turn();
    this.clock.advance(Math.min(this.clock.nextIn ?? 0, 1000));
  }

  /** Opens a connection without faults: every message arrives, and the end. */
  async finish(): Promise<void> {
    this.client.abandon();
    this.connect({});
    for (let i = 0; i < MAX_STEPS && !(this.isDone && this.client.isOpen); i++) await this.step();
  }

  check(seed: string): void {
    assertEquals(this.atServer, this.toServer, `${seed}: what the server got`);
    assertEquals(this.client.received, this.toClient, `${seed}: what the client got`);
    assertEquals(this.client.line.bufferedAmount, 0, `${seed}: kept by the client`);
    assertEquals(this.sessions.bufferedAmount, 0, `${seed}: kept by the server`);
    assertEquals(this.channels.length, 1, `${seed}: handlers that ran`);
    assertEquals(this.client.faults, [], `${seed}: faults`);
    assertEquals(this.client.openings.filter((it) => it.unacknowledged !== null), [], seed);
  }

  /** Closes the client permanently, and checks that nothing is left. */
  async close(seed: string): Promise<void> {
    this.client.line.close(1000, "done");
    const info = this.channels[0]?.closed;
    let isOver = false;
    info?.then(() => isOver = true);
    for (let i = 0; i < 50 && !isOver; i++) await this.step();
    const { code, wasClean, unacknowledged } = await info ?? {};
    assertEquals([code, wasClean, unacknowledged], [1000, true, undefined], seed);
    this.client.abandon();
    assertEquals(this.client.line.end(), { unsent: [] }, seed);
    for (const { client, server } of this.pairs) {
      client.terminate();
      server.terminate();
    }
    await microtasks();
    // Sessions that their clients never learned about live as long as others.
    for (let i = 0; i < 10; i++) this.clock.advance(1e8);
    assertEquals([this.sessions.size, this.clock.pending], [0, 0], `${seed}: what is left`);
  }
}

function randomMessage(random: Random, number: number): Message {
  const size = random.chance(0.9) ? random.integer(0, 40) : random.integer(0, 3000);
  if (random.chance(0.3)) return random.bytes(size);
  // Texts that look like the protocol's own.
  return random.pick(["", "=", "#0", "?", ".", "!{}"]) + number + "ü".repeat(size);
}

async function run(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const world = new World(random.chance(0.3) ? random.integer(100, 4000) : undefined);
  const connect = (): void =>
    world.connect({
      split: [1, random.pick([3, 20, 2000])],
      delay: [0, random.pick([0, 5, 400])],
      ...random.chance(0.9) ? { reset: random.integer(0, random.pick([60, 400, 8000])) } : {},
    });
  if (random.chance(0.5)) connect();
  const actions = random.integer(5, 60);
  for (let i = 0; i < actions; i++) {
    const action = random.fraction();
    if (action < 0.35) {
      if (!world.client.line.isFull) world.addAtClient(randomMessage(random, i));
    } else if (action < 0.7) {
      if (world.hasRoomAtServer) world.addAtServer(randomMessage(random, i));
    } else if (action < 0.95) {
      for (let n = random.integer(1, 4); n > 0; n--) await world.step();
    } else if (world.client.isConnected) {
      // A takeover while the old connection is still open and delivers messages.
      world.client.abandon();
      connect();
    }
    if (!world.client.isConnected && random.chance(0.4)) connect();
  }
  await world.finish();
  world.check(`seed ${seed}`);
  await world.close(`seed ${seed}`);
}

/** The public API: a channel that reconnects by itself, with its own times. */
async function runReconnecting(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const clock = new ManualClock();
  const sessions = new Sessions({ clock, timeout: 1e8 });
  const channels: WebSocketChannel[] = [];
  const [toServer, atServer]: [Message[], Message[]] = [[], []];
  const [toClient, atClient]: [Message[], Message[]] = [[], []];
  const pairs: WebSocketChannelPair[] = [];
  let isCalm = false;
  const channel = ReconnectingChannel.connect(() => {
    const pair = faultyPair({
      seed: random.integer(0, 1e9),
      protocol: "resume.v1",
      clock,
      split: [1, 50],
      delay: [0, random.pick([0, 20])],
      ...isCalm ? {} : { reset: random.integer(0, random.pick([100, 2000])) },
    });
    pairs.push(pair);
    void serveSession(sessions, (it) => {
      channels.push(it as WebSocketChannel);
      it.stream.listen((message) => atServer.push(message));
    }, pair.server);
    return pair.client;
  }, { resume: resumption(), clock, random: () => random.fraction(), retry: () => 10 });
  channel.stream.listen((message) => atClient.push(message));
  const step = async (n: number): Promise<void> => {
    await microtasks(8);
    if (n % 32 === 31) await turn();
    clock.advance(random.integer(1, 50));
  };
  for (let i = 0; i < 60; i++) {
    const message = randomMessage(random, i);
    const server = channels[0]?.sink;
    if (random.chance()) {
      toServer.push(message);
      channel.sink.add(message);
    } else if (server?.hasRoom) {
      toClient.push(message);
      server.add(message);
    }
    if (random.chance(0.3)) await step(i);
    if (random.chance(0.05)) channel.reconnect();
  }
  isCalm = true;
  const isDone = (): boolean =>
    channel.sink.bufferedAmount === 0 && sessions.bufferedAmount === 0 &&
    atServer.length === toServer.length && atClient.length === toClient.length;
  for (let i = 0; i < MAX_STEPS && !isDone(); i++) await step(i);
  const about = `seed ${seed}`;
  assertEquals([atServer, atClient], [toServer, toClient], about);
  assertEquals([channels.length, channel.sink.bufferedAmount], [1, 0], about);
  void channel.close();
  let isOver = false;
  void channels[0]?.closed.then(() => isOver = true);
  for (let i = 0; i < 2000 && !isOver; i++) await step(i);
  for (const { client, server } of pairs) {
    client.terminate();
    server.terminate();
  }
  await microtasks();
  const { unsent, unacknowledged } = await channel.closed;
  assertEquals([unsent, unacknowledged], [[], undefined], about);
  clock.advance(1e8 + 1);
  for (let i = 0; i < 10; i++) clock.advance(1e8);
  assertEquals(sessions.size, 0, about);
}

Deno.test("a ReconnectingChannel neither loses, duplicates nor reorders messages", async () => {
  const runs = Math.ceil(RUNS / 10);
  for (let i = 0; i < runs; i++) await runReconnecting(testSeed() + i);
});

Deno.test("each message arrives once and in order, despite random connection faults", async () => {
  const first = testSeed();
  for (let i = 0; i < RUNS; i++) await run(first + i);
});

Deno.test("losing a connection at any byte loses and duplicates no message", async () => {
  // The first connection is lost at each byte of hellos, acknowledgements, texts and bytes.
  const script = async (reset: number, second: number): Promise<number> => {
    const world = new World();
    world.connect({ reset });
    for (let i = 0; i < 3; i++) {
      world.addAtClient(`to the server ${i}`);
      world.addAtServer(`to the client ${i}`);
    }
    for (let i = 0; i < 4; i++) await world.step();
    const wasLost = !world.client.isConnected;
    if (wasLost) world.connect({ reset: second });
    world.addAtClient(new Uint8Array([1, 2, 3]));
    world.addAtServer("late");
    await world.finish();
    world.check(`reset after ${reset} and ${second} bytes`);
    await world.close(`reset after ${reset} and ${second} bytes`);
    return wasLost ? 1 : 0;
  };
  let losses = 0;
  for (let reset = 1; reset < 480; reset++) losses += await script(reset, 1 + reset * 7 % 300);
  assertEquals(losses > 200, true, `${losses} connections were lost`);
});
