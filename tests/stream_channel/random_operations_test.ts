/** Random operations on both ends of a connection, against what the six guarantees allow. */

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
import { microtasks, settled } from "../support/events.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { turn } from "../support/turns.ts";

type Numbers = StreamChannel<number>;
type Wrap = (channel: StreamChannel<string>) => Numbers;

/** What the two ends of a pair are wrapped in. */
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

/** One end, what is known of it, and what must hold for it. */
class End {
  readonly sent: number[] = [];
  readonly got: number[] = [];
  /** What came while it was paused, after it was closed, or after the end. */
  readonly untimely: number[] = [];
  readonly waits: Promise<void>[] = [];
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
    else if (choice < 19) this.waits.push(this.#channel.sink.ready);
    else if (this.#random.integer(0, 4) === 0) this.close();
  }

  add(): void {
    if (this.closed) return;
    // Noted first: the other end may have it before the call is over.
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
    this.waits.push(this.#channel.sink.close());
  }
}

async function run(wrap: Wrap, random: Random): Promise<void> {
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
  // Everybody reads: what was sent to one that is open has come.
  const isOpen = (): boolean => !one.closed && !two.closed;
  for (let i = 0; i < 20 && isOpen(); i++) {
    for (const end of ends) end.listen(), end.resume();
    await microtasks(50);
    await turn();
  }
  if (isOpen() && !one.paused && !two.paused) {
    assertEquals([one.got.length, two.got.length], [two.sent.length, one.sent.length]);
  }
  // Whoever reads, pauses or never read: closing settles all.
  for (const end of ends) if (!end.closed) end.close();
  await microtasks(200);
  await turn();
  for (const end of ends) {
    for (const wait of end.waits) assert(await settled(wait), "it never settles");
    if (end.isRead) assertEquals(end.over, 1);
  }
  assertEquals([one.untimely, two.untimely], [[], []]);
  assertEquals(one.got, two.sent.slice(0, one.got.length));
  assertEquals(two.got, one.sent.slice(0, two.got.length));
  assertFalse(isOpen());
}

for (const [name, wrap] of Object.entries(WRAPS)) {
  Deno.test(`random operations on both ends of ${name}`, async () => {
    const random = seededRandom();
    for (let round = 0; round < 100; round++) {
      try {
        await run(wrap, random);
      } catch (cause) {
        throw new Error(`seed ${random.seed}, round ${round}: ${cause}`, { cause });
      }
    }
  });
}
