/** Random operations on both ends of a connection, checked against the six guarantees. */

import { assert, assertEquals, assertFalse } from "@std/assert";
import {
  channelPair,
  Disconnector,
  jsonDocument,
  MultiChannel,
  type StreamChannel,
  StreamChannelCompleter,
  StreamChannelTransformer,
  type StreamSubscription,
  withGuarantees,
} from "../../src/stream_channel/mod.ts";
import { microtasks } from "../support/events.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { turn } from "../support/turns.ts";

type Numbers = StreamChannel<number>;
type Wrap = (channel: StreamChannel<string>) => Numbers;

/** The wrappers of the two ends of a pair. */
const WRAPS: Record<string, Wrap> = {
  "a pair": (channel) => channel.cast<number>(),
  "withGuarantees": (channel) => withGuarantees(channel).cast<number>(),
  "jsonDocument": (channel) => channel.transform(jsonDocument).cast<number>(),
  "a Disconnector": (channel) => channel.transform(new Disconnector<string>()).cast<number>(),
  "a MultiChannel": (channel) => new MultiChannel<number>(channel.transform(jsonDocument)),
  "TransformStreams": (channel) =>
    channel.cast<number>().transform(
      StreamChannelTransformer.fromTransformStreams<number, number, number, number>(
        () => new TransformStream<number, number>(),
        () => new TransformStream<number, number>(),
      ),
    ),
  "a completer": (channel) => {
    const completer = new StreamChannelCompleter<string>();
    queueMicrotask(() => completer.setChannel(channel));
    return completer.channel.cast<number>();
  },
};

/** How the loops' clock advances, and how many turns the test waits. */
interface Pace {
  readonly name: string;
  /** How far the clock advances each time it is read, in milliseconds. */
  readonly tick: number;
  readonly turns: number;
}

/**
 * Loops that run for long wait for later turns of the event loop, which happens by chance on a busy
 * machine. With a stopped clock they never wait; with a fast one they wait repeatedly.
 */
const PACES: readonly Pace[] = [
  { name: "", tick: 0, turns: 1 },
  { name: ", with delayed loops", tick: 3, turns: 3000 },
];

/** Lets turns of the event loop pass until a condition is true. */
async function soon(condition: () => boolean, turns: number): Promise<boolean> {
  await microtasks(200);
  for (let i = 0; i < turns && !condition(); i++) {
    await turn();
    await microtasks(50);
  }
  return condition();
}

/** One end, its recorded state, and the operations on it. */
class End {
  readonly sent: number[] = [];
  readonly got: number[] = [];
  /** The values that arrived while it was paused, after it was closed, or after the end. */
  readonly untimely: number[] = [];
  /** The number of its promises that have not settled. */
  waits = 0;
  over = 0;
  closed = false;
  paused = false;
  #subscription: StreamSubscription | null = null;
  readonly #channel: Numbers;
  readonly #random: Random;

  constructor(channel: Numbers, random: Random) {
    this.#channel = channel;
    this.#random = random;
  }

  get isRead(): boolean {
    return this.#subscription !== null;
  }

  act(): void {
    const choice = this.#random.integer(0, 19);
    if (choice < 9) this.add();
    else if (choice < 12) this.pause();
    else if (choice < 15) this.resume();
    else if (choice < 17) this.listen();
    else if (choice < 19) this.wait(this.#channel.sink.ready);
    else if (this.#random.integer(0, 4) === 0) this.close();
  }

  add(): void {
    if (this.closed) return;
    // Recorded first: the other end may receive it before the call returns.
    this.sent.push(this.sent.length);
    if (!this.#channel.sink.add(this.sent.length - 1)) this.sent.pop();
  }

  pause(): void {
    this.#subscription?.pause();
    this.paused = this.isRead;
  }

  resume(): void {
    this.#subscription?.resume();
    this.paused = false;
  }

  listen(): void {
    if (this.isRead) return;
    this.#subscription = this.#channel.stream.listen((value) => {
      if (this.closed || this.paused || this.over > 0) this.untimely.push(value);
      this.got.push(value);
      if (this.#random.integer(0, 3) === 0) this.act();
    }, { onDone: () => this.over++ });
  }

  close(): void {
    this.closed = true;
    this.wait(this.#channel.sink.close());
  }

  wait(promise: Promise<void>): void {
    this.waits++;
    const settled = (): void => void this.waits--;
    promise.then(settled, settled);
  }

  /** Whether all its promises have settled, and its reader was notified of the end. */
  get isSettled(): boolean {
    return this.waits === 0 && (!this.isRead || this.over > 0);
  }
}

async function run(wrap: Wrap, random: Random, { turns }: Pace): Promise<void> {
  const { local, foreign } = channelPair<string>({
    sync: random.integer(0, 1) === 0,
    highWaterMark: 300,
  });
  const ends = [new End(wrap(local), random), new End(wrap(foreign), random)] as const;
  const [one, two] = ends;
  for (let i = 0; i < 60; i++) {
    ends[random.integer(0, 1) === 0 ? 0 : 1].act();
    if (random.integer(0, 3) === 0) await microtasks(3);
  }
  // Every channel reads: all messages to an open channel have arrived.
  const isOpen = (): boolean => !one.closed && !two.closed;
  const hasAll = (): boolean =>
    one.got.length === two.sent.length && two.got.length === one.sent.length;
  const stops = (): boolean => hasAll() || !isOpen() || one.paused || two.paused;
  for (let i = 0; i < 20 && isOpen() && !(i > 0 && hasAll()); i++) {
    for (const end of ends) end.listen(), end.resume();
    await soon(stops, turns);
  }
  if (isOpen() && !one.paused && !two.paused) {
    assertEquals([one.got.length, two.got.length], [two.sent.length, one.sent.length]);
  }
  // With readers, paused readers or no reader, closing settles everything.
  for (const end of ends) if (!end.closed) end.close();
  const isSettled = (): boolean => one.isSettled && two.isSettled;
  assert(await soon(isSettled, turns), "it never settles");
  // A duplicate would have arrived by now.
  await turn();
  for (const end of ends) if (end.isRead) assertEquals(end.over, 1);
  assertEquals([one.untimely, two.untimely], [[], []]);
  assertEquals(one.got, two.sent.slice(0, one.got.length));
  assertEquals(two.got, one.sent.slice(0, two.got.length));
  assertFalse(isOpen());
}

/** Runs an action while the loops' clock advances by `tick` at each reading. */
async function withClock(tick: number, action: () => Promise<void>): Promise<void> {
  const { now } = performance;
  let time = 0;
  performance.now = () => time += tick;
  try {
    await action();
  } finally {
    performance.now = now;
  }
}

for (const pace of PACES) {
  for (const [name, wrap] of Object.entries(WRAPS)) {
    Deno.test(`random operations on both ends of ${name}${pace.name}`, async () => {
      const random = seededRandom();
      await withClock(pace.tick, async () => {
        for (let round = 0; round < 100; round++) {
          try {
            await run(wrap, random, pace);
          } catch (cause) {
            throw new Error(`seed ${random.seed}, round ${round}: ${cause}`, { cause });
          }
        }
      });
    });
  }
}
