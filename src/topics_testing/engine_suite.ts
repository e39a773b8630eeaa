import { Deferred, ignore } from "../stream_channel/errors.ts";
import { checkOption, type OptionKinds, readOptions } from "../stream_channel/options.ts";
import { nextTurn } from "../stream_channel/loop_guard.ts";
import { webSocketChannelPair } from "../testing/web_socket_channel_pair.ts";
import type { TopicsEngine } from "../topics/engine.ts";
import { TopicsError } from "../topics/topics_error.ts";
import type { TopicSubscription } from "../topics/subscription.ts";
import { Topics } from "../topics/topics.ts";
import type {
  SubscribeOptions,
  SubscriptionState,
  TopicsOptions,
} from "../topics/topics_options.ts";
import { systemClock } from "../web_socket/clock.ts";
import type { Message } from "../web_socket/web_socket_channel.ts";

/** A log for one test, with functions that disturb it. */
export interface EngineWorld {
  /** Creates an engine on the log, as in another process. */
  engine(): TopicsEngine | Promise<TopicsEngine>;
  /** Stops the log's server, as a crash does. */
  stop?: (() => Promise<void>) | undefined;
  /** Starts the log's server again, with all data that it had confirmed. */
  start?: (() => Promise<void>) | undefined;
  /** Removes the log with all its messages, while the server continues to run. */
  forget?: (() => Promise<void>) | undefined;
  /** Closes the client of the first engine, as a user does. */
  closeClient?: (() => Promise<void>) | undefined;
  /** Releases everything that `create` and `engine` have created. Called once, when all topics are closed. */
  end(): Promise<void>;
}

/** Options of {@linkcode testEngine}. */
export interface TestEngineOptions {
  /** Creates a log without messages. Called once for each test. */
  create(): Promise<EngineWorld>;
  /** Registers a test, as `Deno.test(name, run)` does. */
  test(name: string, run: () => Promise<void>): void;
  /** How long a test waits for each event before it fails, in milliseconds. Default 30,000. */
  patience?: number | undefined;
  /** The functions that this engine can't have; their tests aren't registered. Default: none. */
  lacks?: readonly ("stop" | "forget" | "closeClient")[] | undefined;
}

const KINDS: OptionKinds<TestEngineOptions> = {
  create: "function",
  test: "function",
  patience: "period",
  lacks: "list",
};

/** The default of {@linkcode TestEngineOptions.patience}. */
const PATIENCE = 30_000;
let patience = PATIENCE;

function check(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new Error(`The engine fails: ${what}`);
}

function same(actual: unknown, expected: unknown, what: string): void {
  const [got, wanted] = [actual, expected].map((it) => JSON.stringify(it));
  check(got === wanted, `${what}: expected ${wanted?.slice(0, 500)}, got ${got?.slice(0, 500)}`);
}

async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const start = systemClock.now();
  while (!(await isSo())) {
    check(systemClock.now() - start < patience, `not so after ${patience} ms: ${what}`);
    await new Promise<void>((resolve) => void nextTurn(resolve));
  }
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(() => check(false, "it should have rejected"), (error) => error);
}

/** A subscriber, and what it has got. */
class Guest {
  readonly received: Message[] = [];
  readonly states: SubscriptionState["name"][] = [];
  readonly #pair = webSocketChannelPair();

  constructor() {
    this.#pair.client.stream.listen((message) => this.received.push(message));
  }

  get channel(): ReturnType<typeof webSocketChannelPair>["server"] {
    return this.#pair.server;
  }

  subscribe(
    topics: Topics,
    topic: string,
    options: SubscribeOptions = {},
  ): Promise<TopicSubscription> {
    const onState = (state: SubscriptionState): void => void this.states.push(state.name);
    return topics.subscribe(this.channel, topic, { onState, ...options });
  }

  async gets(count: number): Promise<Message[]> {
    await until(
      () => this.received.length >= count,
      `${count} messages, has ${this.received.length}`,
    );
    return this.received;
  }

  async leave(): Promise<void> {
    await this.#pair.client.sink.close();
  }
}

/** The processes of a test. */
class House {
  readonly world: EngineWorld;
  readonly #open: (Topics | Guest)[] = [];

  constructor(world: EngineWorld) {
    this.world = world;
  }

  async topics(options: Omit<TopicsOptions, "engine"> = {}): Promise<Topics> {
    const topics = new Topics({ onError: ignore, ...options, engine: await this.world.engine() });
    this.#open.push(topics);
    return topics;
  }

  guest(): Guest {
    const guest = new Guest();
    this.#open.push(guest);
    return guest;
  }

  async end(): Promise<void> {
    try {
      for (const it of this.#open.splice(0)) {
        await (it instanceof Guest ? it.leave() : it.close());
      }
    } finally {
      await this.world.end();
    }
  }
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);
}

async function publishAll(
  topics: Topics,
  topic: string,
  all: readonly string[],
): Promise<string[]> {
  const offsets: string[] = [];
  for (const message of all) offsets.push((await topics.publish(topic, message)).offset);
  return offsets;
}

type Test = (house: House) => Promise<void>;

/** What every engine does. */
const TESTS: Readonly<Record<string, Test>> = {
  "a message reaches the subscribers of every process, in one order": async (house) => {
    const processes = [await house.topics(), await house.topics()] as const;
    const guests = await Promise.all(processes.map(async (topics) => {
      const guest = house.guest();
      await guest.subscribe(topics, "a");
      return guest;
    }));
    await Promise.all(
      processes.map((topics, i) =>
        publishAll(topics, "a", numbers(1, 50).map((it) => `${i}:${it}`))
      ),
    );
    const [one, other] = await Promise.all(guests.map((guest) => guest.gets(100)));
    same(one, other, "the order");
    for (const i of [0, 1]) {
      const own = one?.filter((it) => String(it).startsWith(`${i}:`));
      same(own, numbers(1, 50).map((it) => `${i}:${it}`), "the order of one publisher");
    }
  },
  "messages that are published without waiting keep their order": async (house) => {
    const topics = await house.topics();
    const guest = house.guest();
    await guest.subscribe(topics, "a");
    await Promise.all(numbers(1, 200).map((it) => topics.publish("a", it)));
    same(await guest.gets(200), numbers(1, 200), "the order");
  },
  "text and bytes arrive as they were": async (house) => {
    const [one, other] = [await house.topics(), await house.topics()];
    const guest = house.guest();
    await guest.subscribe(other, "a");
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const texts = ["", "\0", "ä€😀", "x".repeat(300_000)];
    for (const text of texts) await one.publish("a", text);
    await one.publish("a", bytes);
    await one.publish("a", new Uint8Array(0));
    const replayed = house.guest();
    for (const it of [guest, replayed]) {
      if (it === replayed) await it.subscribe(other, "a", { last: 10 });
      const received = await it.gets(6);
      check(texts.every((text, i) => received[i] === text), "texts");
      same([...received[4] as Uint8Array], [...bytes], "bytes");
      same((received[5] as Uint8Array).byteLength, 0, "no bytes");
    }
  },
  "topics are apart, whatever their names": async (house) => {
    const topics = await house.topics();
    const names = ["a", "a.b", "a.*", "*", ">", "a>", " ", "a b", "\0", "\n", "ä", "a=2e", "a%2Eb"];
    names.push("{a}", "x".repeat(1024), "constructor", "__proto__", "a:1", "log", "💬");
    const guests = await Promise.all(names.map(async (name) => {
      const guest = house.guest();
      await guest.subscribe(topics, name);
      return guest;
    }));
    for (const name of names) await topics.publish(name, name);
    for (const [i, guest] of guests.entries()) {
      same(await guest.gets(1), [names[i]], "what is said");
    }
    await topics.publish("a", "end");
    same(await (guests[0] as Guest).gets(2), ["a", "end"], "one more");
    for (const [i, name] of names.entries()) {
      const guest = house.guest();
      await guest.subscribe(topics, name, { last: 10 });
      same(guest.received, await (guests[i] as Guest).gets(1), `the history of ${name}`);
    }
  },
  "after an offset, what was missed comes first": async (house) => {
    const topics = await house.topics();
    const offsets = await publishAll(topics, "a", numbers(1, 10));
    await publishAll(topics, "b", ["other"]);
    const guest = house.guest();
    const { replayed, resync } = await guest.subscribe(topics, "a", { after: offsets[3] });
    same([replayed, resync], [6, false], "what was replayed");
    await topics.publish("a", "11");
    same(await guest.gets(7), numbers(5, 11), "what was missed, and what is live");
    const late = house.guest();
    const subscribed = await late.subscribe(topics, "a", { after: offsets[9], last: 3 });
    same([subscribed.replayed, subscribed.resync], [1, false], "what one who was away has missed");
    same(late.states, ["live"], "its states");
  },
  "an offset of a subscription can be resumed from, also where nothing was published": async (
    house,
  ) => {
    const topics = await house.topics();
    const first = house.guest();
    const { offset } = await first.subscribe(topics, "a");
    await topics.publish("b", "other");
    const second = house.guest();
    const again = await second.subscribe(topics, "a", { after: offset });
    same([again.replayed, again.resync], [0, false], "nothing was missed");
    await topics.publish("a", "1");
    for (const guest of [first, second]) same(await guest.gets(1), ["1"], "what is live");
    const third = house.guest();
    const late = await third.subscribe(topics, "a", { after: offset });
    same([late.replayed, late.resync], [1, false], "one was missed");
  },
  "the latest messages come first, where they are asked for": async (house) => {
    const topics = await house.topics();
    await publishAll(topics, "a", numbers(1, 20));
    const guest = house.guest();
    const { replayed, resync } = await guest.subscribe(topics, "a", { last: 5 });
    same([replayed, resync], [5, false], "what was replayed");
    await topics.publish("a", "21");
    same(await guest.gets(6), numbers(16, 21), "the latest, and what is live");
  },
  "a long history arrives whole": async (house) => {
    const topics = await house.topics({ history: { size: 1000 } });
    await Promise.all(numbers(1, 800).map((it) => topics.publish("a", it)));
    const guest = house.guest();
    const { replayed } = await guest.subscribe(topics, "a", { last: 700 });
    same(replayed, 700, "what was replayed");
    same(await guest.gets(700), numbers(101, 800), "the history");
  },
  "history and what is live join without a gap and without a repetition, at full speed": async (
    house,
  ) => {
    const history = { size: 50_000 };
    const publishers = [await house.topics({ history }), await house.topics({ history })] as const;
    const reader = await house.topics({ history });
    const { offset } = await reader.publish("a", "start");
    let isOver = false;
    const publishing = Promise.all(publishers.map(async (topics, i) => {
      let count = 0;
      while (!isOver) {
        const batch = Array.from({ length: 5 }, () => topics.publish("a", `${i}:${++count}`));
        await Promise.all(batch);
        await new Promise<void>((resolve) => void nextTurn(resolve));
      }
      return count;
    }));
    publishing.catch(ignore);
    const guests: Guest[] = [];
    try {
      for (const topics of [...publishers, reader, ...publishers, reader, ...publishers, reader]) {
        const guest = house.guest();
        guests.push(guest);
        const { resync } = await guest.subscribe(topics, "a", { after: offset });
        same(resync, false, "whether it can't be resumed");
      }
    } finally {
      isOver = true;
    }
    const counts = await publishing;
    await reader.publish("a", "end");
    const count = counts.reduce((sum, it) => sum + it) + 1;
    const [first, ...rest] = await Promise.all(guests.map((guest) => guest.gets(count)));
    for (const received of rest) same(received, first, "the same order for all");
    same(first?.at(-1), "end", "the last");
    for (const [i, own] of counts.entries()) {
      const received = first?.filter((it) => String(it).startsWith(`${i}:`));
      same(received, numbers(1, own).map((it) => `${i}:${it}`), "each once, in order");
    }
  },
  "a history that is too short is a resync": async (house) => {
    const topics = await house.topics({ history: { size: 5 } });
    const offsets = await publishAll(topics, "a", numbers(1, 12));
    const guest = house.guest();
    const { replayed, resync } = await guest.subscribe(topics, "a", { after: offsets[2], last: 2 });
    same([replayed, resync], [2, true], "what was replayed");
    same(guest.states, ["resync", "live"], "the states");
    same(await guest.gets(2), ["11", "12"], "the latest");
    const reached = house.guest();
    const near = await reached.subscribe(topics, "a", { after: offsets[6] });
    same([near.replayed, near.resync], [5, false], "what the history reaches");
  },
  "an offset that is none, or of another log, is a resync": async (house) => {
    const topics = await house.topics();
    const { offset } = await topics.publish("a", "1");
    const [epoch = ""] = offset.split(".");
    const none = [
      "",
      ".",
      "x",
      "other.1",
      `${epoch}.`,
      `${epoch}.-1`,
      `${epoch}.1.1`,
      "😀.1",
      `${epoch}.${"z".repeat(25)}`,
      "x".repeat(100_000),
    ];
    for (const after of none) {
      const guest = house.guest();
      const { resync } = await guest.subscribe(topics, "a", { after });
      same([resync, guest.states], [true, ["resync", "live"]], after.slice(0, 50));
    }
  },
  "an id is published once, and answers with the first offset": async (house) => {
    const [one, other] = [await house.topics(), await house.topics()];
    const guest = house.guest();
    await guest.subscribe(one, "a");
    const [first, again] = [
      await one.publish("a", "1", { id: "x y\n*" }),
      await other.publish("a", "1", { id: "x y\n*" }),
    ];
    same(again, first, "the offset");
    await Promise.all([one, other].map((topics) => topics.publish("a", "2", { id: "2" })));
    await one.publish("b", "of another topic", { id: "2" });
    await other.publish("a", "3");
    same(await guest.gets(3), ["1", "2", "3"], "what was published");
  },
  "members are seen by every process, until they leave": async (house) => {
    const [one, other] = [await house.topics(), await house.topics()];
    const seen = async (topics: Topics): Promise<string[]> =>
      (await topics.presence("a")).map(({ metadata }) => String(metadata)).sort();
    const guests = [house.guest(), house.guest(), house.guest()] as const;
    await guests[0].subscribe(one, "a", { presence: "Ä" });
    await guests[1].subscribe(other, "a", { presence: "b" });
    const third = await guests[2].subscribe(other, "a", { presence: "c" });
    await house.guest().subscribe(other, "a");
    for (const topics of [one, other]) same(await seen(topics), ["b", "c", "Ä"], "members");
    same(await one.presence("b"), [], "members of another topic");
    third.unsubscribe();
    await until(async () => (await seen(one)).length === 2, "one has left");
    await guests[1].leave();
    await until(async () => (await seen(one)).length === 1, "another has left");
    await one.close();
    await until(async () => (await seen(other)).length === 0, "a process has ended");
  },
  "members of a process that has died go when the lease ends": async (house) => {
    const topics = await house.topics({ lease: 600 });
    const guest = house.guest();
    await guest.subscribe(topics, "a", { presence: "lives" });
    const engine = await house.world.engine();
    const settings = { size: 10, age: 60_000, lease: 600, clock: systemClock };
    const dead = engine.open(SILENT, settings);
    await dead.ready;
    await dead.announce("a", "slot", `[{"id":"x","metadata":"dies"}]`);
    const seen = async (): Promise<string[]> =>
      (await topics.presence("a")).map(({ metadata }) => String(metadata)).sort();
    same(await seen(), ["dies", "lives"], "both");
    await until(async () => (await seen()).length === 1, "the lease has ended");
    same(await seen(), ["lives"], "who renews its lease");
    await dead.close();
  },
  "a subscriber that leaves gets nothing more, and may come back": async (house) => {
    const topics = await house.topics();
    const guest = house.guest();
    const subscription = await guest.subscribe(topics, "a");
    const twice = await rejection(guest.subscribe(topics, "a"));
    same((twice as Error).name, "InvalidStateError", "a second subscription");
    await topics.publish("a", "1");
    await guest.gets(1);
    subscription.unsubscribe();
    const { offset } = await topics.publish("a", "2");
    same(topics.stats().subscriptions, 0, "subscriptions");
    await guest.subscribe(topics, "a", { after: offset });
    await topics.publish("a", "3");
    same(await guest.gets(2), ["1", "3"], "what it has got");
    await guest.leave();
    await until(() => topics.stats().topics === 0, "its end ends the subscription");
  },
};

const SILENT = {
  onEntry: ignore,
  onEpoch: ignore,
  onGap: ignore,
  onLost: ignore,
  onRestored: ignore,
  onClosed: ignore,
};

/** Those of worlds whose log can be removed. */
const FORGET_TESTS: Readonly<Record<string, Test>> = {
  "another log is reported, and everything in it arrives": async (house) => {
    const [one, other] = [await house.topics(), await house.topics()];
    const guest = house.guest();
    await guest.subscribe(one, "a", { presence: "member" });
    const [offset] = await publishAll(other, "a", ["1", "2"]);
    await guest.gets(2);
    await house.world.forget!();
    await publishAll(other, "a", ["3", "4"]);
    same(await guest.gets(4), ["1", "2", "3", "4"], "what was published");
    // An engine may lose its connection besides.
    same(guest.states.filter((it) => it === "resync"), ["resync"], "it is reported once");
    const late = house.guest();
    const { resync, replayed } = await late.subscribe(one, "a", { after: offset, last: 1 });
    same([resync, replayed, late.received], [true, 1, ["4"]], "an offset of the log before");
    await until(
      async () => (await other.presence("a")).length === 1,
      "members are announced again",
    );
  },
  "another log is noticed though nothing is published": async (house) => {
    const topics = await house.topics();
    const guest = house.guest();
    await guest.subscribe(topics, "a");
    await topics.publish("a", "1");
    await guest.gets(1);
    await house.world.forget!();
    await until(() => guest.states.includes("resync"), "it is reported");
  },
};

/** Those of worlds whose server can go and come back. */
const LOST_TESTS: Readonly<Record<string, Test>> = {
  "while the connection is lost publishing waits, and nothing is skipped": async (house) => {
    const states: string[] = [];
    const one = await house.topics({ onState: ({ name }) => states.push(name) });
    const other = await house.topics();
    const guests = [house.guest(), house.guest()] as const;
    await guests[0].subscribe(one, "a");
    await guests[1].subscribe(other, "a");
    await publishAll(one, "a", numbers(1, 5));
    let isStopped = false;
    const running = (async () => {
      const published: Promise<unknown>[] = [];
      for (let i = 6; i <= 60; i++) {
        published.push(one.publish("a", `${i}`));
        if (i === 20) await house.world.stop!().then(() => isStopped = true);
        if (i % 5 === 0) await new Promise<void>((resolve) => void nextTurn(resolve));
      }
      return await Promise.all(published);
    })();
    running.catch(ignore);
    await until(() => isStopped && states.includes("lost"), "it is reported");
    await until(
      () => guests.every(({ states }) => states.includes("lost")),
      "subscribers get the state",
    );
    const joining = house.guest();
    const joined = joining.subscribe(other, "a", { last: 1 });
    joined.catch(ignore);
    await house.world.start!();
    await running;
    await joined;
    await one.publish("a", "end");
    for (const guest of guests) {
      const received = await guest.gets(61);
      same([...received].sort(), [...numbers(1, 60), "end"].sort(), "each once");
      same(received.at(-1), "end", "the last");
      same(guest.states, ["live", "lost", "live"], "the states");
    }
    await until(() => joining.received.at(-1) === "end", "who came meanwhile");
    same(states, ["lost", "live"], "the states of the topics");
  },
  "while the connection is lost publishing fails, if that is asked for": async (house) => {
    const topics = await house.topics({ whileLost: "fail" });
    const guest = house.guest();
    await guest.subscribe(topics, "a");
    await topics.publish("a", "1");
    await house.world.stop!();
    const error = await rejection((async () => {
      for (;;) await topics.publish("a", "2");
    })());
    check(error instanceof TopicsError && error.reason === "lost", `the error: ${error}`);
    await until(() => topics.stats().state === "lost", "it is reported");
    const refused = await rejection(topics.publish("a", "3"));
    check(refused instanceof TopicsError && !refused.mayBePublished, `the error: ${refused}`);
    await house.world.start!();
    await until(() => topics.stats().state === "live", "it is back");
    await topics.publish("a", "4");
    await until(() => guest.received.includes("4"), "what is published then");
  },
};

/** Those of worlds whose client its user can close. */
const CLOSE_TESTS: Readonly<Record<string, Test>> = {
  "a client that its user closes ends the topics": async (house) => {
    const ended = new Deferred();
    const topics = await house.topics({
      onState: ({ name }) => {
        if (name === "ended") ended.resolve();
      },
    });
    const guest = house.guest();
    await guest.subscribe(topics, "a");
    await topics.publish("a", "1");
    await guest.gets(1);
    await house.world.closeClient!();
    await ended.promise;
    same(guest.states, ["live", "ended"], "the states");
    for (
      const promise of [
        topics.publish("a", "2"),
        topics.presence("a"),
        guest.subscribe(topics, "b"),
      ]
    ) {
      const error = await rejection(promise);
      check(error instanceof TopicsError && error.reason === "closed", `the error: ${error}`);
    }
  },
};

/**
 * Registers the tests of an engine. Each test has its own log, and uses real time.
 *
 * @param options See {@linkcode TestEngineOptions}.
 * @throws {TypeError | RangeError} When an option is missing or malformed.
 */
export function testEngine(options: TestEngineOptions): void {
  const { create, test, lacks = [], patience: given = PATIENCE } = readOptions(options, KINDS);
  for (const option of ["create", "test"] as const) {
    checkOption(option, options[option], "function");
  }
  for (const lack of lacks) checkOption("lacks", lack, '"stop"|"forget"|"closeClient"');
  const all = {
    ...TESTS,
    ...(lacks.includes("forget") ? {} : FORGET_TESTS),
    ...(lacks.includes("stop") ? {} : LOST_TESTS),
    ...(lacks.includes("closeClient") ? {} : CLOSE_TESTS),
  };
  for (const [name, run] of Object.entries(all)) {
    test(name, async () => {
      patience = given;
      const house = new House(await create());
      try {
        await run(house);
      } finally {
        await house.end();
      }
    });
  }
}
