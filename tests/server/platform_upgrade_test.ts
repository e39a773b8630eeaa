import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { readOptions } from "../../src/stream_channel/options.ts";
import { bunWebSocket, ConnectionLimits } from "../../src/server/mod.ts";
import {
  checkPlatformOptions,
  PLATFORM_KINDS,
  platformChannel,
  PlatformUpgrade,
} from "../../src/server/platform_upgrade.ts";
import { UnsupportedError } from "../../src/web_socket/errors.ts";
import { microtasks } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { SAMPLE_KEY } from "../support/recipe_clients.ts";

const REMOTE = { address: "192.0.2.1", port: 4711 };

/** A correct request. The fields are readable even where a platform doesn't allow setting all of them. */
function request(changes: Record<string, string> = {}, signal?: AbortSignal): Request {
  const fields = new Map(Object.entries({
    host: "a.example",
    upgrade: "websocket",
    connection: "Upgrade",
    "sec-websocket-key": SAMPLE_KEY,
    "sec-websocket-version": "13",
    ...changes,
  }));
  const never = new AbortController().signal;
  const like = {
    url: "http://a.example/x?y",
    method: "GET",
    headers: fields,
    signal: signal ?? never,
  };
  return like as unknown as Request;
}

Deno.test("options that the platform doesn't support throw an UnsupportedError, unless they request nothing", () => {
  const check = (options: Parameters<typeof checkPlatformOptions>[0]): unknown =>
    checkPlatformOptions(readOptions(options, PLATFORM_KINDS), [
      "compression",
      "maxMessageSize",
      "invalidText",
      "afterClose",
    ]);
  check({ invalidText: "fail", afterClose: "drop" });
  const late = assertThrows(() => check({ afterClose: "deliver" }), UnsupportedError);
  assertEquals(late.capability, "afterClose");
  const text = assertThrows(() => check({ invalidText: "bytes" }), UnsupportedError);
  assertEquals(text.capability, "invalidText");
  assertThrows(() => check({ compression: () => true }), UnsupportedError);
  const error = assertThrows(() => check({ compression: true }), UnsupportedError);
  assertEquals(error.capability, "compression");
  assertThrows(() => check({ maxMessageSize: 1 }), UnsupportedError);
  check({ compression: false, maxMessageSize: undefined });
  assertThrows(() => check({ pingInterval: -1 }), RangeError);
  assertThrows(() => check({ maxQueueSize: -1 }), RangeError);
  assertThrows(() => check({ protocols: ["a b"] }), SyntaxError);
});

Deno.test("the server decides about a fetch-style request as about any other", async () => {
  const clock = new ManualClock();
  const status = async (changes: Record<string, string>, options = {}): Promise<number> => {
    const settings = checkPlatformOptions(options, []);
    const { refusal } = await new PlatformUpgrade(request(changes), REMOTE).decide(settings, clock);
    return refusal?.status ?? 101;
  };
  assertEquals(await status({}), 101);
  assertEquals(await status({ upgrade: "h2c" }), 426);
  assertEquals(await status({ "sec-websocket-key": "x" }), 400);
  assertEquals(await status({ origin: "https://evil.example" }), 403);
  assertEquals(await status({ origin: "https://a.example" }), 101);
  assertEquals(await status({}, { verify: () => Promise.resolve(false) }), 403);
  assertEquals(clock.pending, 0);
  const { request: made } = new PlatformUpgrade(request(), REMOTE);
  assertEquals([made.url.href, made.remoteAddress], ["ws://a.example/x?y", "192.0.2.1"]);
});

Deno.test("the server reads the platform's signal only while a decision is pending, because Deno warns about it", async () => {
  const reads = async (verify: () => boolean | Promise<boolean>): Promise<number> => {
    let count = 0;
    const { signal } = new AbortController();
    const it = Object.defineProperty(request(), "signal", { get: () => (count++, signal) });
    await new PlatformUpgrade(it, REMOTE).decide(
      checkPlatformOptions({ verify }, []),
      new ManualClock(),
    );
    return count;
  };
  assertEquals([await reads(() => true), await reads(() => Promise.resolve(true))], [0, 1]);
});

Deno.test("attack 42: the server answers 503 if the client has left or verify is too slow", async () => {
  const clock = new ManualClock();
  const refusals: [number, string][] = [];
  const settings = checkPlatformOptions({
    verify: () => new Promise(() => {}),
    handshakeTimeout: 100,
    onRefused: ({ status, reason }) => void refusals.push([status, reason]),
  }, []);
  const abort = new AbortController();
  const gone = new PlatformUpgrade(request({}, abort.signal), REMOTE);
  const first = gone.decide(settings, clock);
  await microtasks();
  abort.abort();
  assertEquals([(await first).refusal?.status, gone.request.signal.aborted], [503, true]);
  const before = new PlatformUpgrade(request({}, AbortSignal.abort()), REMOTE);
  assertEquals((await before.decide(settings, clock)).refusal?.status, 503);
  const slow = new PlatformUpgrade(request(), REMOTE).decide(settings, clock);
  await microtasks();
  clock.advance(100);
  assertEquals([(await slow).refusal?.status, clock.pending], [503, 0]);
  // The server doesn't report a refusal for a client that has left.
  assertEquals(refusals, [[503, "timeout"]]);
});

Deno.test("limits: an upgrade that the platform never opens stops counting after a delay, with any handshakeTimeout", async () => {
  for (const [handshakeTimeout, ms] of [[1000, 1000], [0, 60_000]] as const) {
    const clock = new ManualClock();
    const limits = new ConnectionLimits({ maxConnections: 1 });
    const options = readOptions({ limits, handshakeTimeout }, PLATFORM_KINDS);
    const settings = checkPlatformOptions(options, []);
    const upgrade = new PlatformUpgrade(request(), REMOTE);
    await upgrade.decide(settings, clock);
    const channel = platformChannel(new FakeWebSocket(0), upgrade, settings, clock);
    clock.advance(ms - 1);
    await microtasks();
    assertEquals([channel.state, limits.connections], ["connecting", 1]);
    clock.advance(1);
    await assertRejects(() => channel.ready, Error, "");
    await channel.closed;
    await microtasks();
    assertEquals([limits.connections, clock.pending], [0, 0]);
  }
});

Deno.test("limits: an upgrade that Bun refuses, also by throwing, no longer counts", async () => {
  const fault = new Error("Bun can't");
  for (
    const refuse of [() => false, () => {
      throw fault;
    }]
  ) {
    const limits = new ConnectionLimits({ maxConnections: 1 });
    const { upgrade } = bunWebSocket({ limits, handshakeTimeout: 0 });
    const server = { upgrade: refuse, requestIP: () => null };
    const result = await upgrade(request({ host: "localhost" }), server).catch((error) => error);
    if (result === fault) assertStrictEquals(result, fault);
    else assertEquals([result.response?.status, result.channel], [400, null]);
    await microtasks();
    assertEquals(limits.connections, 0);
  }
});
