import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { ManualClock, webSocketChannelPair } from "../../src/testing/mod.ts";
import { WebSocketChannelError } from "../../src/web_socket/errors.ts";
import { WakeUp } from "../../src/reconnecting/wake_up.ts";
import type { HeartbeatOptions } from "../../src/reconnecting/mod.ts";
import { microtasks, record } from "../support/events.ts";
import { turn, until } from "../support/turns.ts";
import { collectUncaught } from "../support/unhandled.ts";
import { FakePage, NOTHING_LEFT, Rig } from "./support.ts";

const HEARTBEAT: HeartbeatOptions = {
  interval: 10_000,
  timeout: 4000,
  message: () => "ping",
  isReply: (message) => message === "pong",
};

/** An open rig with a heartbeat. */
async function opened(heartbeat: HeartbeatOptions = HEARTBEAT): Promise<Rig> {
  const rig = new Rig({ heartbeat });
  await rig.open();
  return rig;
}

Deno.test("heartbeat: the channel sends one after an interval without a message, and doesn't deliver the answer", async () => {
  const rig = await opened();
  const { events } = record(rig.channel.stream);
  await rig.advance(9999);
  assertEquals(rig.socket.sent, []);
  await rig.advance(1);
  assertEquals(rig.socket.sent, ["ping"]);
  rig.socket.message("pong");
  await rig.advance(9999);
  rig.socket.message("news");
  await rig.advance(1);
  assertEquals([rig.socket.sent, events], [["ping"], ["news"]]);
  await rig.advance(10_000);
  assertEquals(rig.socket.sent.length, 2);
  assertEquals(rig.channel.state.name, "open");
  await rig.channel.close();
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("heartbeat: the channel replaces a silent connection after the usual delay", async () => {
  const rig = await opened();
  await rig.advance(10_000 + 3999);
  assertEquals(rig.channel.state.name, "open");
  await rig.advance(1);
  const { state } = rig.channel;
  assert(state.name === "waiting");
  assertEquals([state.delay, state.info.initiator, state.info.code], [250, "timeout", 1006]);
  assertInstanceOf(state.info.error, WebSocketChannelError);
  await rig.advance(250);
  assertEquals(rig.sockets.length, 2);
  await rig.channel.close();
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("heartbeat: any message counts as an answer", async () => {
  const rig = await opened();
  for (let i = 0; i < 20; i++) {
    await rig.advance(10_000);
    rig.socket.message("news");
  }
  assertEquals([rig.channel.state.name, rig.sockets.length], ["open", 1]);
  await rig.channel.close();
});

Deno.test("heartbeat: throttled timers don't end a connection that answers", async () => {
  const rig = await opened({ ...HEARTBEAT, interval: 5000, timeout: 2000 });
  rig.page.document.visibilityState = "hidden";
  for (let minute = 0; minute < 60; minute++) {
    // A background tab's timers run once a minute; messages arrive all the time.
    rig.clock.stall(60_000);
    await microtasks();
    if (rig.socket.sent.length > minute / 2) rig.socket.message("pong");
  }
  assertEquals([rig.channel.state.name, rig.sockets.length], ["open", 1]);
  // Without an answer, the channel still detects the loss some minutes later.
  for (let minute = 0; minute < 4 && rig.channel.state.name === "open"; minute++) {
    rig.clock.stall(60_000);
    await microtasks();
  }
  assertEquals(rig.channel.state.name, "waiting");
  await rig.channel.close();
});

Deno.test("heartbeat: a stall of this side doesn't count as silence of the peer", async () => {
  const rig = await opened();
  await rig.advance(10_000);
  assertEquals(rig.socket.sent, ["ping"]);
  // Otherwise the stall would count as a sleep, and the channel would send a probe.
  rig.page.document.visibilityState = "hidden";
  // The answer has arrived during the stall, and the channel reads it after the timers.
  rig.clock.stall(60_000);
  rig.socket.message("pong");
  await rig.advance(5000);
  assertEquals([rig.channel.state.name, rig.sockets.length], ["open", 1]);
  await rig.channel.close();
});

Deno.test("heartbeat: the channel sends none while it closes", async () => {
  const rig = await opened({ ...HEARTBEAT, interval: 100, timeout: 100 });
  rig.answersClose = false;
  void rig.channel.close(1000);
  await rig.advance(2000);
  assertEquals([rig.channel.state.name, rig.socket.sent], ["closing", []]);
  await rig.lose(1000);
  assertEquals((await rig.channel.closed).initiator, "local");
});

Deno.test("wake-up: the usual delays apply after a successful attempt", async () => {
  const rig = new Rig();
  rig.page.dispatchEvent(new Event("pageshow"));
  await rig.open();
  await rig.lose(1011);
  const { state } = rig.channel;
  assert(state.name === "waiting");
  assertEquals(state.delay, 250);
  await rig.channel.close();
});

Deno.test("heartbeat: an exception of its functions is uncaught, and the connection stays open", async () => {
  let rig: Rig | undefined;
  const uncaught = await collectUncaught(async () => {
    rig = await opened({
      ...HEARTBEAT,
      message: () => {
        throw new Error("message");
      },
      isReply: () => {
        throw new Error("isReply");
      },
    });
    const { events } = record(rig.channel.stream);
    rig.socket.message("news");
    for (let i = 0; i < 3; i++) await rig.advance(10_000);
    assertEquals(events, ["news"]);
    assertEquals(rig.channel.state.name, "open");
    await rig.channel.close();
  });
  assertEquals(uncaught.map((it) => (it as Error).message), ["isReply", "message", "message"]);
  assertEquals(rig?.left, NOTHING_LEFT);
});

Deno.test("heartbeat: async functions cause an error, and the stream loses no message", async () => {
  let rig: Rig | undefined;
  const uncaught = await collectUncaught(async () => {
    rig = await opened({
      ...HEARTBEAT,
      message: (() => Promise.reject(new Error("message"))) as never,
      isReply: (() => Promise.reject(new Error("isReply"))) as never,
    });
    const { events } = record(rig.channel.stream);
    rig.socket.message("news");
    for (let i = 0; i < 2; i++) await rig.advance(10_000);
    assertEquals([events, rig.channel.state.name], [["news"], "open"]);
    await rig.channel.close();
  });
  assertEquals(uncaught.map((it) => String(it).replace(/, got.*/, "")), [
    "TypeError: Cannot use the option heartbeat.isReply's result: it must be a boolean",
    "TypeError: Cannot add: a message must be a string, an ArrayBuffer or a view of one",
  ]);
  assertEquals(rig?.left, NOTHING_LEFT);
});

/** Each way to detect a sleep. */
const SLEEPS: Readonly<Record<string, (rig: Rig) => void>> = {
  "a sleep, while the monotonic clock stood still": (rig) => rig.clock.sleep(60_000),
  "a stopped process": (rig) => rig.clock.stall(60_000),
  "online": (rig) => rig.page.setOnline(true),
  "pageshow": (rig) => void rig.page.dispatchEvent(new Event("pageshow")),
  "visibilitychange": (rig) => void rig.page.document.dispatchEvent(new Event("visibilitychange")),
  "resume": (rig) => void rig.page.document.dispatchEvent(new Event("resume")),
};

for (const [name, sleep] of Object.entries(SLEEPS)) {
  Deno.test(`wake-up by ${name}: the channel replaces a dead connection within 2.5 s`, async () => {
    const rig = await opened({ ...HEARTBEAT, interval: 0 });
    await rig.advance(7000);
    sleep(rig);
    const before = rig.clock.now();
    while (rig.sockets.length === 1 && rig.clock.now() - before < 2500) await rig.advance(1);
    assertEquals(rig.sockets.length, 2);
    assertEquals(rig.sockets[0]?.sent, ["ping"]);
    assertEquals(rig.names, "connecting open waiting connecting");
    const waiting = rig.states[2];
    assertEquals(waiting?.name === "waiting" && waiting.delay, 0);
    await rig.channel.close();
    assertEquals(rig.left, NOTHING_LEFT);
  });

  Deno.test(`wake-up by ${name}: the channel keeps a healthy connection`, async () => {
    const rig = await opened();
    sleep(rig);
    await rig.advance(400);
    assertEquals(rig.socket.sent, ["ping"]);
    rig.socket.message("pong");
    await rig.advance(3000);
    assertEquals([rig.channel.state.name, rig.sockets.length], ["open", 1]);
    await rig.channel.close();
    assertEquals(rig.left, NOTHING_LEFT);
  });

  Deno.test(`wake-up by ${name}: a waiting channel connects at once, and the delays start anew`, async () => {
    const rig = new Rig();
    for (let i = 0; i < 8; i++) {
      await rig.lose();
      if (i < 7) rig.channel.reconnect();
      await microtasks();
    }
    assertEquals(rig.channel.state.name, "waiting");
    sleep(rig);
    await rig.advance(400);
    assertEquals(rig.sockets.length, 9);
    await rig.lose();
    const { state } = rig.channel;
    assert(state.name === "waiting");
    assertEquals(state.delay, 250);
    await rig.channel.close();
  });

  Deno.test(`wake-up by ${name}: an attempt that began before the sleep has 2 s left`, async () => {
    const rig = new Rig();
    await rig.advance(100);
    sleep(rig);
    const before = rig.clock.now();
    while (rig.sockets.length === 1 && rig.clock.now() - before < 2500) await rig.advance(1);
    assertEquals(rig.sockets.length, 2);
    await rig.channel.close();
    assertEquals(rig.left, NOTHING_LEFT);
  });
}

Deno.test("wake-up: several events in a row cause one probe", async () => {
  const rig = await opened();
  for (const sleep of Object.values(SLEEPS).slice(2)) sleep(rig);
  assertEquals(rig.socket.sent, ["ping"]);
  await rig.advance(1999);
  assertEquals(rig.channel.state.name, "open");
  await rig.advance(1);
  assertEquals(rig.channel.state.name, "waiting");
  await rig.channel.close();
});

Deno.test("wake-up: without a heartbeat and pings, the channel sends no probe and keeps the connection", async () => {
  const rig = new Rig();
  await rig.open();
  rig.page.dispatchEvent(new Event("pageshow"));
  await rig.advance(60_000);
  assertEquals([rig.channel.state.name, rig.socket.sent], ["open", []]);
  await rig.channel.close();
});

Deno.test("wake-up: a hidden page doesn't wake up", async () => {
  const rig = await opened();
  rig.page.document.visibilityState = "hidden";
  rig.page.document.dispatchEvent(new Event("visibilitychange"));
  rig.clock.stall(9000);
  await microtasks();
  assertEquals(rig.socket.sent, []);
  rig.page.document.visibilityState = "visible";
  rig.page.document.dispatchEvent(new Event("visibilitychange"));
  assertEquals(rig.socket.sent, ["ping"]);
  await rig.channel.close();
});

Deno.test("wake-up: setting the clock back, or slightly forward, doesn't count as a sleep", async () => {
  const rig = await opened({ ...HEARTBEAT, interval: 0 });
  rig.clock.sleep(1500);
  await rig.advance(400);
  assertEquals(rig.socket.sent, []);
  await rig.channel.close();
});

Deno.test("wake-up: the channel pings if the transport can, and a Pong counts as an answer", async () => {
  const clock = new ManualClock();
  const pair = webSocketChannelPair({ clock });
  const rig: Rig = new Rig({ clock, target: () => pair.client });
  await until(() => rig.channel.state.name === "open");
  rig.page.dispatchEvent(new Event("pageshow"));
  for (let i = 0; i < 20; i++) await turn();
  clock.advance(5000);
  for (let i = 0; i < 20; i++) await turn();
  assertEquals(rig.channel.state.name, "open");
  const { latency } = pair.client;
  assertEquals(latency, 0);
  await rig.channel.close();
  await pair.server.closed;
});

Deno.test("offline: the channel makes no attempt until the network is back", async () => {
  const rig = new Rig();
  await rig.open();
  rig.page.setOnline(false);
  assertEquals(rig.channel.state.name, "open");
  await rig.lose();
  assertEquals(rig.channel.state, { name: "paused" });
  await rig.advance(1_000_000);
  assertEquals(rig.sockets.length, 1);
  rig.page.setOnline(true);
  assertEquals(rig.sockets.length, 2);
  await rig.lose();
  assertEquals(rig.channel.state.name, "waiting");
  rig.page.setOnline(false);
  assertEquals(rig.channel.state.name, "paused");
  await rig.advance(1_000_000);
  assertEquals(rig.sockets.length, 2);
  await rig.channel.close();
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("offline from the beginning: the channel waits for the network", async () => {
  const rig = new Rig({ offline: true });
  await rig.advance(1_000_000);
  assertEquals([rig.names, rig.sockets.length], ["paused", 0]);
  rig.channel.sink.add("early");
  rig.page.setOnline(true);
  await rig.open();
  assertEquals(rig.socket.sent, ["early"]);
  await rig.channel.close();
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("offline: reconnect makes an attempt anyway, and its failure pauses the channel again", async () => {
  const rig = new Rig({ offline: true });
  assertEquals(rig.channel.reconnect(), true);
  await rig.lose();
  assertEquals(rig.names, "paused connecting paused");
  assertEquals(rig.channel.reconnect(), true);
  await rig.open();
  assertEquals(rig.channel.state.name, "open");
  await rig.channel.close();
});

Deno.test("WakeUp: all listeners share one timer and one set of page listeners; without listeners there are none", () => {
  const clock = new ManualClock();
  const page = new FakePage();
  const wakeUp = new WakeUp(clock, page);
  const heard: string[] = [];
  const listener = (name: string) => ({
    onWake: () => heard.push(`${name} wake`),
    onOnline: () => heard.push(`${name} online`),
    onOffline: () => heard.push(`${name} offline`),
  });
  const [a, b] = [listener("a"), listener("b")] as const;
  wakeUp.add(a);
  wakeUp.add(b);
  assertEquals([clock.pending, page.left], [1, 5]);
  clock.sleep(10_000);
  clock.advance(400);
  page.setOnline(false);
  wakeUp.remove(a);
  wakeUp.remove(a);
  page.setOnline(true);
  assertEquals(heard, ["a wake", "b wake", "a offline", "b offline", "b online"]);
  wakeUp.remove(b);
  assertEquals([clock.pending, page.left], [0, 0]);
  assert(WakeUp.of(clock) === WakeUp.of(clock));
});

Deno.test("WakeUp: doesn't call a listener that another one removes in the same round", () => {
  const page = new FakePage();
  const wakeUp = new WakeUp(new ManualClock(), page);
  const heard: string[] = [];
  const listener = (name: string, onWake: () => void) => ({
    onWake: () => {
      heard.push(name);
      onWake();
    },
    onOnline: () => {},
    onOffline: () => {},
  });
  const second = listener("second", () => {});
  const first = listener("first", () => wakeUp.remove(second));
  wakeUp.add(first);
  wakeUp.add(second);
  page.dispatchEvent(new Event("pageshow"));
  wakeUp.remove(first);
  assertEquals(heard, ["first"]);
});

Deno.test("WakeUp: works with only the clock when there is no page", () => {
  const clock = new ManualClock();
  const wakeUp = new WakeUp(clock, {});
  let wakes = 0;
  const listener = { onWake: () => wakes++, onOnline: () => {}, onOffline: () => {} };
  wakeUp.add(listener);
  clock.stall(3000);
  assertEquals([wakes, wakeUp.isOnline], [1, true]);
  wakeUp.remove(listener);
  assertEquals(clock.pending, 0);
});
