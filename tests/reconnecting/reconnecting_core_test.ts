import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import type { ReconnectingState } from "../../src/reconnecting/state.ts";
import { type MessageStream, streamFeed } from "../../src/stream_channel/channel_stream.ts";
import { SeededRandom } from "../../src/testing/random.ts";
import { ConnectError, LimitError, WebSocketChannelError } from "../../src/web_socket/errors.ts";
import type { Message } from "../../src/web_socket/web_socket_channel.ts";
import { microtasks, record } from "../support/events.ts";
import { assertNoUncaught, collectUncaught } from "../support/unhandled.ts";
import { NOTHING_LEFT, Rig } from "./support.ts";

Deno.test("reconnecting: the channel connects, loses the connection, waits and connects again, with one stream", async () => {
  const rig = new Rig();
  const { events } = record(rig.channel.stream);
  rig.channel.sink.add("early");
  assertEquals(rig.channel.state.name, "connecting");
  assertEquals(rig.channel.connection, null);
  await rig.open();
  assertEquals(rig.socket.sent, ["early"]);
  assertEquals(rig.channel.connection?.state, "open");
  rig.socket.message("one");
  await rig.lose();
  assertEquals(rig.channel.connection, null);
  await rig.advance(249);
  assertEquals(rig.sockets.length, 1);
  await rig.advance(1);
  await rig.open();
  rig.socket.message("two");
  assertEquals(events, ["one", "two"]);
  await rig.channel.close(3000, "enough");
  const info = await rig.channel.closed;
  assertEquals([info.code, info.reason, info.initiator, info.attempts], [
    3000,
    "enough",
    "local",
    2,
  ]);
  assertEquals(info.unsent, []);
  assertEquals(events, ["one", "two", "done"]);
  assertEquals(rig.names, "connecting open waiting connecting open closing closed");
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("reconnecting: each state has the data that a status line needs", async () => {
  const rig = new Rig();
  await rig.advance(70);
  await rig.open();
  await rig.advance(30);
  await rig.lose(1001, "deploy");
  await rig.advance(250);
  await rig.advance(40);
  await rig.open();
  const [connecting, open, waiting, again, reopened] = rig.states;
  assertEquals(connecting, { name: "connecting", attempt: 1 });
  assertEquals(open, { name: "open", attempt: 1, downtime: 70, resumable: false });
  assert(waiting?.name === "waiting");
  assertEquals([waiting.attempt, waiting.delay, waiting.until], [2, 250, 1350]);
  assertEquals([waiting.info.code, waiting.info.reason], [1001, "deploy"]);
  assertEquals(again, { name: "connecting", attempt: 2 });
  assertEquals(reopened, { name: "open", attempt: 2, downtime: 290, resumable: false });
  assertEquals(rig.channel.state, reopened);
  await rig.channel.close();
  const { state } = rig.channel;
  assertEquals(state, { name: "closed", info: await rig.channel.closed });
});

/** The delays that the channel waited for. */
function delaysOf(rig: Rig): number[] {
  return rig.states.flatMap((it) => it.name === "waiting" ? [it.delay] : []);
}

Deno.test("reconnecting: until is a wall-clock time, also after the machine has slept", async () => {
  const rig = new Rig();
  await rig.open();
  rig.clock.sleep(5000);
  await rig.lose();
  const { state } = rig.channel;
  assert(state.name === "waiting");
  assertEquals([state.delay, state.until], [250, 6250]);
  await rig.channel.close();
});

Deno.test("reconnecting: the delays grow, also if a server accepts and drops connections", async () => {
  const refused = new Rig();
  const dropped = new Rig();
  for (let i = 0; i < 9; i++) {
    await refused.lose();
    await refused.advance(refused.clock.nextIn === null ? 0 : 30_000);
    await dropped.open();
    await dropped.lose(1011);
    await dropped.advance(30_000);
  }
  const delays = [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000];
  assertEquals(delaysOf(refused), delays);
  assertEquals(delaysOf(dropped), delays);
  await refused.channel.close();
  await dropped.channel.close();
});

Deno.test("reconnecting: only a stable connection resets the delay", async () => {
  const rig = new Rig();
  for (let i = 0; i < 3; i++) {
    await rig.lose();
    await rig.advance(30_000);
  }
  await rig.open();
  await rig.advance(4999);
  await rig.lose();
  await rig.advance(30_000);
  await rig.open();
  await rig.advance(5000);
  await rig.lose();
  assertEquals(delaysOf(rig), [250, 500, 1000, 2000, 250]);
  assertEquals(rig.channel.state.name === "waiting" && rig.channel.state.attempt, 2);
  await rig.channel.close();
});

Deno.test("reconnecting: options set the times", async () => {
  const rig = new Rig({ firstDelay: 10, maxDelay: 30, minUptime: 7 });
  for (let i = 0; i < 4; i++) {
    await rig.lose();
    await rig.advance(30);
  }
  await rig.open();
  await rig.advance(7);
  await rig.lose();
  assertEquals(delaysOf(rig), [5, 10, 15, 15, 5]);
  await rig.channel.close();
});

Deno.test("reconnecting: a server that accepts and sends 1011 gets at most 6.5 attempts in 10 s, on average over 1,000 seeds", async () => {
  let attempts = 0;
  let most = 0;
  for (let seed = 0; seed < 1000; seed++) {
    const random = new SeededRandom(seed);
    const rig = new Rig({ random: () => random.fraction() });
    const end = rig.clock.now() + 10_000;
    while (rig.clock.now() < end) {
      rig.socket.open();
      await microtasks(6);
      rig.socket.closed({ code: 1011, wasClean: true });
      await microtasks(8);
      const { state } = rig.channel;
      assert(state.name === "waiting", `${state.name}, seed ${seed}`);
      rig.clock.advance(Math.min(state.delay, end - rig.clock.now()));
      await microtasks(6);
    }
    attempts += rig.sockets.length;
    most = Math.max(most, rig.sockets.length);
    await rig.channel.close();
  }
  const mean = attempts / 1000;
  assert(mean <= 6.5, `${mean}, at most ${most}`);
  assert(mean > 4, `${mean}`);
});

Deno.test("reconnecting: the channel waits after 1012, and a wake-up doesn't shorten the delay", async () => {
  const rig = new Rig();
  await rig.open();
  await rig.lose(1012);
  assertEquals(delaysOf(rig), [17_500]);
  rig.page.dispatchEvent(new Event("pageshow"));
  await rig.advance(17_499);
  assertEquals(rig.sockets.length, 1);
  await rig.advance(1);
  assertEquals(rig.sockets.length, 2);
  await rig.channel.close();
});

Deno.test("reconnecting: the channel waits for retryAfter; a wake-up doesn't shorten it, the timer's limit does", async () => {
  for (const [retryAfter, delay] of [[60_000, 60_250], [1e12, 2 ** 31 - 1]] as const) {
    const rig = new Rig({
      target: () => Promise.reject(new ConnectError("busy", { status: 503, retryAfter })),
    });
    await microtasks();
    assertEquals(delaysOf(rig), [delay]);
    rig.page.dispatchEvent(new Event("pageshow"));
    await rig.advance(delay - 1);
    assertEquals(rig.names, "connecting waiting");
    await rig.advance(1);
    assertEquals(rig.names, "connecting waiting connecting waiting");
    await rig.channel.close();
    assertEquals(rig.left, NOTHING_LEFT);
  }
});

for (const code of [1002, 1003, 1007, 1008, 1009, 1010, 4401, 4403]) {
  Deno.test(`reconnecting: the channel ends after ${code}, and reports the reason`, async () => {
    const rig = new Rig();
    const { events } = record(rig.channel.stream);
    await rig.open();
    rig.socket.message("last");
    await rig.lose(code, "because");
    const info = await rig.channel.closed;
    assertEquals([info.code, info.reason, info.initiator], [code, "because", "remote"]);
    assertInstanceOf(info.error, WebSocketChannelError);
    assertEquals(
      info.error.message,
      `Cannot reconnect: the connection ended with ${code}, which is not retried. The option retry decides`,
    );
    assertEquals(events, ["last", "done"]);
    assertEquals(rig.channel.sink.add("late"), false);
    assertEquals(rig.left, NOTHING_LEFT);
  });
}

Deno.test("reconnecting: a normal closure by the server ends the channel without an error", async () => {
  const rig = new Rig();
  await rig.open();
  await rig.lose(1000, "that's all");
  const info = await rig.channel.closed;
  assertEquals([info.code, info.error, info.attempts], [1000, undefined, 1]);
  await rig.channel.sink.done;
});

Deno.test("reconnecting: the stream also fails if the channel could never connect", async () => {
  const error = new ConnectError("401", { status: 401 });
  const rig = new Rig({ target: () => Promise.reject(error) });
  const { events } = record(rig.channel.stream);
  await microtasks();
  const info = await rig.channel.closed;
  assert(info.error === error);
  assertEquals([events, info.attempts], [[["error", error], "done"], 1]);
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("reconnecting: retry decides, and gets the close info and the attempt number", async () => {
  const asked: [code: number, attempt: number][] = [];
  const answers: (boolean | number)[] = [true, 77, 0, false];
  const rig = new Rig({
    retry: ({ code }, attempt) => {
      asked.push([code, attempt]);
      return answers.shift() as boolean | number;
    },
  });
  await rig.open();
  await rig.lose(1000);
  await rig.advance(250);
  await rig.lose();
  await rig.advance(77);
  await rig.lose();
  await rig.advance(0);
  await rig.open();
  await rig.lose(4000, "x");
  assertEquals(asked, [[1000, 1], [1006, 2], [1006, 3], [4000, 4]]);
  assertEquals(delaysOf(rig), [250, 77, 0]);
  const { code, error } = await rig.channel.closed;
  assertEquals([code, error instanceof WebSocketChannelError], [4000, true]);
  assertEquals(rig.left, NOTHING_LEFT);
});

for (const answer of [undefined, null, "yes", NaN, -1, 1e12, Promise.resolve(true)]) {
  Deno.test(`reconnecting: the channel refuses an answer of retry that is ${String(answer)}`, async () => {
    const rig = new Rig({ retry: (() => answer) as never });
    await rig.open();
    await rig.lose();
    const { error } = await rig.channel.closed;
    assert(error instanceof TypeError || error instanceof RangeError, String(error));
    assert(String(error).includes("retry's result"), String(error));
    assertEquals(rig.left, NOTHING_LEFT);
  });
}

Deno.test("reconnecting: a retry function that rejects causes no unhandled rejection", async () => {
  await assertNoUncaught(async () => {
    const rig = new Rig({ retry: (() => Promise.reject(new Error("async"))) as never });
    await rig.open();
    await rig.lose();
    assertEquals((await rig.channel.closed).error instanceof TypeError, true);
  });
});

Deno.test("reconnecting: reconnect in retry starts the next attempt at once, also while offline", async () => {
  for (const answer of [true, 5000]) {
    const rig: Rig = new Rig({
      retry: (info) => {
        if (info.code === 1006) assertEquals(rig.channel.reconnect(), true);
        return info.code === 1006 && answer;
      },
    });
    await rig.open();
    await rig.lose();
    assertEquals(delaysOf(rig), [0]);
    await rig.advance(0);
    await rig.lose();
    assertEquals(delaysOf(rig), [0, 0]);
    await rig.advance(0);
    await rig.open();
    rig.page.setOnline(false);
    await rig.lose();
    assertEquals(delaysOf(rig), [0, 0, 0]);
    await rig.advance(0);
    // This call of reconnect has no effect on later failures.
    await rig.open();
    await rig.lose(4401, "no");
    const { code, reason, initiator } = await rig.channel.closed;
    assertEquals([code, reason, initiator], [4401, "no", "remote"]);
    assertEquals(rig.left, NOTHING_LEFT);
  }
});

Deno.test("reconnecting: reconnect while open drops the connection and connects now, also while offline", async () => {
  const rig = new Rig();
  await rig.open();
  rig.page.setOnline(false);
  rig.channel.reconnect();
  await microtasks();
  await rig.advance(0);
  assertEquals(rig.names, "connecting open waiting connecting");
  await rig.lose();
  assertEquals(rig.channel.state.name, "paused");
  await rig.channel.close();
  assertEquals(rig.left, NOTHING_LEFT);
});

const failing = (): never => {
  throw new Error("random's result");
};
for (
  const [name, random] of [
    ["gives NaN", () => NaN],
    ["returns a negative number", () => -0.5],
    ["returns more than 1", () => 1e300],
    ["gives a text", () => "0.5"],
    ["throws", failing],
    ["is async", () => Promise.reject(new Error("async"))],
  ] as const
) {
  Deno.test(`reconnecting: a random function that ${name} ends the channel with an error`, async () => {
    await assertNoUncaught(async () => {
      const rig = new Rig({ random: random as never });
      await rig.open();
      await rig.lose();
      const { error } = await rig.channel.closed;
      assert(String(error).includes("random's result"), String(error));
      assertEquals(rig.left, NOTHING_LEFT);
    });
  });
}

Deno.test("reconnecting: a printed channel shows its name and its state", async () => {
  const rig = new Rig();
  await rig.lose();
  const print = (value: unknown): string => JSON.stringify(value);
  const custom = rig.channel as unknown as Record<symbol, (it: typeof print) => string>;
  const text = custom[Symbol.for("Deno.customInspect")]?.(print) ?? "";
  assert(text.startsWith("ReconnectingChannel {"), text);
  assert(text.includes("waiting") && !text.includes("ws://host"), text);
  await rig.channel.close();
});

Deno.test("reconnecting: the channel ends with the error that retry throws", async () => {
  const error = new Error("retry failed");
  const rig = new Rig({
    retry: () => {
      throw error;
    },
  });
  await rig.open();
  await rig.lose();
  assert((await rig.channel.closed).error === error);
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("reconnecting: retry may close the channel", async () => {
  const rig: Rig = new Rig({
    retry: () => {
      void rig.channel.close(1000);
      return true;
    },
  });
  await rig.open();
  await rig.lose(1001);
  assertEquals((await rig.channel.closed).code, 1001);
  assertEquals([rig.sockets.length, rig.left], [1, NOTHING_LEFT]);
  const away: Rig = new Rig({
    retry: () => {
      void away.channel.close(1000);
      return 5;
    },
  });
  await away.lose();
  assertEquals((await away.channel.closed).initiator, "local");
  assertEquals([away.sockets.length, away.left], [1, NOTHING_LEFT]);
});

Deno.test("reconnecting: onState may use the channel, which reports the resulting states afterwards", async () => {
  const told: string[] = [];
  const rig: Rig = new Rig({
    onState: ({ name }) => {
      if (name === "open") void rig.channel.close(1000);
      if (name === "waiting") rig.channel.reconnect();
      told.push(name);
    },
  });
  assertEquals(told, []);
  await rig.lose();
  assertEquals(told, ["connecting", "waiting", "connecting"]);
  await rig.open();
  await microtasks();
  assertEquals(told.slice(3), ["open", "closing", "closed"]);
  assertEquals([rig.sockets.length, rig.left], [2, NOTHING_LEFT]);
});

Deno.test("reconnecting: an exception of onState is uncaught, and affects nothing else", async () => {
  let rig: Rig | undefined;
  const uncaught = await collectUncaught(async () => {
    rig = new Rig({
      onState: ({ name }) => {
        throw new Error(name);
      },
    });
    await rig.open();
    await rig.channel.close();
  });
  assertEquals(uncaught.map((it) => (it as Error).message), [
    "connecting",
    "open",
    "closing",
    "closed",
  ]);
  assertEquals(rig?.left, NOTHING_LEFT);
});

Deno.test("reconnecting: states is a stream of the current state and all later ones", async () => {
  const rig = new Rig();
  await rig.open();
  const { events } = record(rig.channel.states);
  await rig.lose();
  await rig.channel.close();
  await microtasks();
  const names = events.map((it) => (it as Partial<ReconnectingState>).name ?? it);
  assertEquals(names, ["open", "waiting", "closed", "done"]);
  const late = record(new Rig({ signal: AbortSignal.abort() }).channel.states);
  await microtasks();
  assertEquals(late.events.length, 2);
});

Deno.test("reconnecting: a slow reader of states may miss some, but never the last", async () => {
  const rig = new Rig();
  const { states } = rig.channel;
  for (let i = 0; i < 50; i++) {
    await rig.lose();
    rig.channel.reconnect();
    await microtasks();
  }
  await rig.channel.close();
  const names: string[] = [];
  for await (const { name } of states) names.push(name);
  assert(names.length <= 18, `${names.length}`);
  assertEquals(names.at(-1), "closed");
});

Deno.test("reconnecting: the stream has the messages of a lost connection before those of the next one", async () => {
  const rig = new Rig();
  const { events, subscription } = record(rig.channel.stream);
  await rig.open();
  subscription.pause();
  const large = "x".repeat(40_000);
  for (let i = 0; i < 5; i++) rig.socket.message(`${i}${large}`);
  await rig.lose();
  await rig.advance(250);
  await rig.open();
  rig.socket.message("next");
  assertEquals(events, []);
  // Backpressure continues: the next connection keeps its message.
  const { connection } = rig.channel;
  assertEquals(streamFeed.queuedSize(connection?.stream as MessageStream<Message>), 32);
  subscription.resume();
  await microtasks();
  assertEquals(events.map((it) => (it as string)[0]), ["0", "1", "2", "3", "4", "n"]);
  await rig.channel.close();
});

Deno.test("reconnecting: a reader that reads nothing ends the channel at 64 MiB over all connections", async () => {
  const rig = new Rig();
  const large = "x".repeat(8 * 1024 * 1024);
  for (let i = 0; i < 9; i++) {
    await rig.open();
    rig.socket.message(large);
    await rig.lose();
    await rig.advance(30_000);
  }
  const info = await rig.channel.closed;
  assertInstanceOf(info.error, LimitError);
  assertEquals([info.error.option, rig.sockets.length], ["maxQueueSize", 9]);
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("reconnecting: the channel stays open when a reader cancels its subscription", async () => {
  const rig = new Rig();
  const { subscription } = record(rig.channel.stream);
  await rig.open();
  subscription.cancel();
  for (let i = 0; i < 100; i++) rig.socket.message("x".repeat(10_000));
  await rig.lose();
  await rig.advance(250);
  await rig.open();
  assertEquals(rig.channel.state.name, "open");
  await rig.channel.close();
});

Deno.test("reconnecting: cancelling the readable closes the channel", async () => {
  const rig = new Rig();
  await rig.open();
  await rig.channel.readable.cancel();
  assertEquals((await rig.channel.closed).initiator, "local");
  assertEquals(rig.left, NOTHING_LEFT);
});
