import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
} from "@std/assert";
import { isHandshakeKey, signKey } from "../../src/handshake/accept_key.ts";
import { HandshakeError } from "../../src/handshake/handshake_error.ts";
import type { ConnectRequest } from "../../src/web_socket/connect_request.ts";
import { ConnectError } from "../../src/web_socket/errors.ts";
import { Exchange } from "../../src/web_socket/exchange.ts";
import {
  type Opened,
  openHandshake,
  parseRetryAfter,
} from "../../src/web_socket/open_handshake.ts";
import { settled } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { joined } from "../support/bytes.ts";
import { FakeWire } from "./support.ts";

interface Opening {
  readonly wire: FakeWire;
  readonly exchange: Exchange;
  /** The head of the request. */
  readonly head: string;
  readonly opened: Promise<Opened>;
  /** A server's response. */
  answer(text: string): void;
  accept(extra?: string): string;
}

const REQUEST = { url: new URL("ws://host/path"), protocols: ["a"], headers: [["X-Y", "z"]] };

function open(): Opening {
  const wire = new FakeWire();
  const exchange = new Exchange(wire, { clock: new ManualClock(), ms: 1000 });
  const opened = openHandshake(exchange, {
    request: REQUEST as unknown as ConnectRequest,
    origin: "http://there",
    compression: {},
    wantsBody: () => true,
  });
  opened.catch(() => {});
  const head = new TextDecoder().decode(joined(wire.written));
  return {
    wire,
    exchange,
    head,
    opened,
    answer: (text) => wire.receive(new TextEncoder().encode(text)),
    accept: (extra = "Sec-WebSocket-Protocol: a\r\n") => {
      const key = /Sec-WebSocket-Key: (\S+)/.exec(head)?.[1] ?? "";
      return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${signKey(key)}\r\n${extra}\r\n`;
    },
  };
}

/** The error of a failed attempt. */
async function errorOf({ opened }: Opening): Promise<ConnectError> {
  assert(await settled(opened));
  const error = await opened.catch((error: unknown) => error);
  assertInstanceOf(error, ConnectError);
  assertEquals(error.phase, "handshake");
  return error;
}

Deno.test("opening handshake: the request contains what the options specify", () => {
  const { head } = open();
  assert(head.startsWith("GET /path HTTP/1.1\r\n"));
  for (
    const field of ["Host: host", "X-Y: z", "Origin: http://there", "Sec-WebSocket-Protocol: a"]
  ) {
    assert(head.includes(`${field}\r\n`), field);
  }
  assertMatch(head, /Sec-WebSocket-Extensions: permessage-deflate/);
});

Deno.test("opening handshake RFC 6455 §4.1: each request has its own key", () => {
  const keys = new Set<string>();
  for (let i = 0; i < 1000; i++) {
    const key = /Sec-WebSocket-Key: (\S+)/.exec(open().head)?.[1] ?? "";
    assert(isHandshakeKey(key), key);
    keys.add(key);
  }
  assertEquals(keys.size, 1000);
});

Deno.test("opening handshake attack 28: an accepting response in chunks of any size, with frames after it", async () => {
  const whole = open();
  whole.answer(whole.accept("Sec-WebSocket-Protocol: a\r\nSet-Cookie: b\r\n") + "frames");
  const { agreement, response } = await whole.opened;
  assertEquals([agreement.protocol, whole.exchange.hasRest], ["a", true]);
  assertEquals([response.status, response.statusText], [101, "Switching Protocols"]);
  assertEquals([response.headers.get("set-cookie"), response.body.length], ["b", 0]);
  assertStrictEquals(response.headers, response.headers);
  const bytewise = open();
  for (const character of bytewise.accept()) bytewise.answer(character);
  assertEquals((await bytewise.opened).agreement.protocol, "a");
  assertEquals(bytewise.exchange.hasRest, false);
});

Deno.test("opening handshake attack 28: a wrong Sec-WebSocket-Accept fails the handshake, with any bytes after it", async () => {
  const opening = open();
  opening.answer(opening.accept().replace(/Accept: \S+/, `Accept: ${signKey("x")}`) + "frames");
  const error = await errorOf(opening);
  assertInstanceOf(error.cause, HandshakeError);
  assertEquals([error.status, error.retryable, error.response?.body.length], [101, false, 0]);
});

Deno.test("opening handshake: a response that is not HTTP", async () => {
  const opening = open();
  opening.answer("SSH-2.0-OpenSSH_9.2\r\n");
  const error = await errorOf(opening);
  assertEquals([error.status, error.response, error.retryable], [null, null, false]);
  assertEquals(
    error.message,
    "Cannot connect to ws://host/path: the answer is not HTTP/1.1: " +
      'it begins with "SSH-2.0-OpenSSH_9.2"',
  );
  assertInstanceOf(error.cause, HandshakeError);
});

Deno.test("opening handshake: it reports a refusal when the body is complete", async () => {
  const opening = open();
  opening.answer("HTTP/1.1 503 Busy\r\nContent-Length: 5\r\nRetry-After: 7\r\n\r\nhel");
  assertEquals(await settled(opening.opened), false);
  opening.answer("lo, and more");
  const error = await errorOf(opening);
  assertEquals(error.message, "Cannot connect to ws://host/path: the server answered 503 Busy");
  assertEquals([error.status, error.retryable, error.retryAfter], [503, true, 7000]);
  assertEquals(new TextDecoder().decode(error.response?.body), "hello");
  assertEquals(error.response?.headers.get("retry-after"), "7");
});

Deno.test("opening handshake: a refusal without a reason phrase, or one that forbids another attempt", async () => {
  const opening = open();
  opening.answer("HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n");
  const error = await errorOf(opening);
  assertEquals(error.message, "Cannot connect to ws://host/path: the server answered 404");
  assertEquals([error.retryable, error.retryAfter], [false, null]);
});

Deno.test("opening handshake: a refusal whose body ends with the connection", async () => {
  const opening = open();
  opening.answer("HTTP/1.1 400 Bad Request\r\n\r\nbecause");
  opening.wire.finish({ error: new Error("reset") });
  const error = await errorOf(opening);
  assertEquals(new TextDecoder().decode(error.response?.body), "because");
});

Deno.test("opening handshake: a connection that ends before the response", async () => {
  const lost = open();
  lost.answer("HTTP/1.1 101 Switching");
  const cause = Object.assign(new Error("reset"), { code: "ECONNRESET" });
  lost.wire.finish({ error: cause });
  const error = await errorOf(lost);
  assertEquals([error.status, error.response, error.retryable], [null, null, true]);
  assertStrictEquals(error.cause, cause);
  assertEquals(
    error.message,
    "Cannot connect to ws://host/path: the connection was lost before the server had answered " +
      "(ECONNRESET)",
  );
  const quiet = open();
  quiet.wire.finish();
  const ended = await errorOf(quiet);
  assertEquals("cause" in ended, false);
  assertEquals(
    ended.message,
    "Cannot connect to ws://host/path: the connection ended before the server had answered",
  );
});

Deno.test("Retry-After: seconds or a date, RFC 9110 §10.2.3", () => {
  const now = Date.parse("Wed, 21 Oct 2015 07:28:00 GMT");
  const cases: [value: string | null, expected: number | null][] = [
    [null, null],
    ["0", 0],
    ["120", 120_000],
    ["999999999", 999_999_999_000],
    ["Wed, 21 Oct 2015 07:28:10 GMT", 10_000],
    ["Wed, 21 Oct 2015 07:27:00 GMT", 0],
    ["Wednesday, 21-Oct-15 07:28:10 GMT", 10_000],
    ["Wed Oct 21 07:28:10 2015", 10_000],
    ["soon", null],
    ["", null],
    ["-1", null],
    ["1.5", null],
  ];
  for (const [value, expected] of cases) {
    assertEquals(parseRetryAfter(value, now), expected, String(value));
  }
  assertEquals(parseRetryAfter("Wed, 21 Oct 2015 07:28:10 GMT"), 0);
});
