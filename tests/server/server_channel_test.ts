import { assert, assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async";
import { Duplex } from "node:stream";
import { refuse } from "../../src/handshake/server_handshake.ts";
import { accept } from "../../src/server/accept_upgrade.ts";
import { refused } from "../../src/server/admission.ts";
import { refusedError, ServerChannel } from "../../src/server/server_channel.ts";
import type { RefusedUpgrade } from "../../src/server/error_hook.ts";
import { checkServerOptions, type ServerOptions } from "../../src/server/server_options.ts";
import { ConnectError } from "../../src/web_socket/errors.ts";
import { microtasks } from "../support/events.ts";
import { fromHex } from "../support/bytes.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { SAMPLE_KEY } from "../support/recipe_clients.ts";
import { turn } from "../support/turns.ts";

const RAW = [
  ...["Host", "a.example", "Upgrade", "websocket", "Connection", "Upgrade"],
  ...["Sec-WebSocket-Key", SAMPLE_KEY, "Sec-WebSocket-Version", "13"],
];

/** A channel over a stream, and the bytes that its client received. */
function connecting(
  options: ServerOptions,
  extra: Parameters<typeof accept>[3] = {},
): { channel: ServerChannel; clock: ManualClock; socket: Duplex; text: () => string } {
  let text = "";
  const clock = new ManualClock();
  const socket = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      text += new TextDecoder("latin1").decode(chunk);
      done();
    },
  });
  const request = { method: "GET", url: "/", httpVersion: "1.1", rawHeaders: RAW };
  const event = { request, socket, head: new Uint8Array(0) };
  const channel = accept(event, checkServerOptions(options), clock, extra);
  return { channel, clock, socket, text: () => text };
}

const never = (): Promise<boolean> => new Promise(() => {});

Deno.test("without verify a channel is open at once", () => {
  const { channel, socket, text } = connecting({ pingInterval: 0 });
  assertEquals(channel.state, "open");
  assert(text().startsWith("HTTP/1.1 101 "), text());
  channel.terminate();
  assert(socket.destroyed);
});

Deno.test("a handshake timeout sends a 503, rejects with a TimeoutError, and leaves no timer", async () => {
  const { channel, clock, socket, text } = connecting({ verify: never, handshakeTimeout: 100 });
  clock.advance(100);
  assert(text().startsWith("HTTP/1.1 503 "), text());
  assertEquals((await assertRejects(() => channel.ready, DOMException)).name, "TimeoutError");
  socket.push(null);
  await channel.closed;
  await turn();
  await turn();
  assertEquals([socket.destroyed, clock.pending], [true, 0]);
});

Deno.test("a late answer of verify has no effect", async () => {
  let answer = (_verdict: boolean): void => {};
  const verify = (): Promise<boolean> => new Promise((resolve) => answer = resolve);
  const { channel, socket, text } = connecting({ verify });
  channel.terminate();
  const refused = text();
  assert(refused.startsWith("HTTP/1.1 503 "), refused);
  answer(true);
  await microtasks();
  assertEquals([text(), channel.state], [refused, "closed"]);
  socket.destroy();
});

Deno.test("the server refuses an invalid request or an already aborted signal before verify", async () => {
  const full = connecting({ verify: never }, { refused: refused(refuse(503), "full") });
  assertEquals(full.channel.state, "closed");
  assert(full.text().startsWith("HTTP/1.1 503 "), full.text());
  full.socket.destroy();
  const reason = new Error("not now");
  const aborted = connecting({}, { signal: AbortSignal.abort(reason) });
  assertEquals(aborted.channel.state, "closed");
  assertEquals((await aborted.channel.closed).error, reason);
  assert(aborted.text().startsWith("HTTP/1.1 503 "), aborted.text());
  aborted.socket.destroy();
});

Deno.test("the server refuses an aborted upgrade as closing, with any reason of the signal", async () => {
  const reasons: string[] = [];
  const onRefused = ({ reason }: RefusedUpgrade): void => void reasons.push(reason);
  const timeout = new DOMException("", "TimeoutError");
  const late = new AbortController();
  const { channel, socket } = connecting({ verify: never, onRefused });
  channel.terminate();
  socket.destroy();
  const signals = [AbortSignal.abort(timeout), AbortSignal.abort(), late.signal];
  for (const signal of signals) {
    const { channel, socket } = connecting({ verify: never, onRefused }, { signal });
    late.abort(timeout);
    assertEquals((await channel.closed).error, signal.reason);
    socket.destroy();
  }
  assertEquals(reasons, ["closing", "closing", "closing", "closing"]);
});

Deno.test("a channel that ends in the queue leaves no timer, and stays available", async () => {
  const ends: ((guest: ReturnType<typeof connecting>) => void)[] = [
    ({ channel }) => channel.terminate(),
    ({ channel }) => void channel.sink.close(),
    ({ clock }) => clock.advance(10_000),
    ({ socket }) => socket.destroy(new Error("reset")),
  ];
  for (const end of ends) {
    const guest = connecting({ pingInterval: 0 }, { isQueued: true });
    const { channel, clock, socket } = guest;
    // RFC 6455 §5.7: a masked "Hello", followed by a Close.
    socket.push(fromHex("8185 37fa213d 7f9f4d5158 8882 00000000 03e8"));
    await delay(0);
    assertEquals([channel.state, clock.pending], ["open", 1]);
    end(guest);
    await delay(0);
    socket.push(null);
    await channel.closed;
    ServerChannel.taken(channel);
    assertEquals([clock.pending, channel.state], [0, "closed"]);
    socket.destroy();
    await delay(0);
  }
});

Deno.test("the error of a refusal has the client's response, shortened", () => {
  const plain = refusedError(refuse(403));
  assertEquals(plain.message, "Refused the upgrade with 403 Forbidden");
  const { message, status, retryable } = refusedError(refuse(503, { body: "x".repeat(1000) }));
  assertEquals([message.length < 300, status, retryable], [true, 503, false]);
  assertEquals(plain instanceof ConnectError, true);
});
