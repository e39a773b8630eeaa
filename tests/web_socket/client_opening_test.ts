import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import type { HandshakeAgreement } from "../../src/handshake/client_handshake.ts";
import { isHandshakeKey, signKey } from "../../src/handshake/accept_key.ts";
import { HandshakeError } from "../../src/handshake/handshake_error.ts";
import { ClientOpening, parseRetryAfter } from "../../src/web_socket/client_opening.ts";
import { ConnectError, type HandshakeResponse } from "../../src/web_socket/errors.ts";

const encoder = new TextEncoder();

interface Opened {
  readonly opening: ClientOpening;
  readonly agreed: { agreement: HandshakeAgreement; response: HandshakeResponse; rest: string }[];
  readonly failed: ConnectError[];
  refusing: number;
  /** What a server answers. */
  answer(text: string): void;
  accept(extra?: string): string;
}

function open(onAgreed: () => void = () => {}): Opened {
  const opened: Opened = {
    agreed: [],
    failed: [],
    refusing: 0,
    answer: (text) => opening.receive(encoder.encode(text)),
    accept: (extra = "Sec-WebSocket-Protocol: a\r\n") => {
      const key = /Sec-WebSocket-Key: (\S+)/.exec(head)?.[1] ?? "";
      return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${signKey(key)}\r\n${extra}\r\n`;
    },
    get opening() {
      return opening;
    },
  };
  const request = { url: new URL("ws://host/path"), protocols: ["a"], headers: [["X-Y", "z"]] };
  const opening = new ClientOpening(
    request as unknown as ConstructorParameters<typeof ClientOpening>[0],
    { origin: "http://there", compression: {} },
    {
      onAgreed: (agreement, response, rest) => {
        opened.agreed.push({ agreement, response, rest: new TextDecoder().decode(rest) });
        onAgreed();
      },
      onFailed: (error) => opened.failed.push(error),
      onRefusing: () => opened.refusing++,
    },
  );
  const head = new TextDecoder().decode(opening.head);
  return opened;
}

/** The one error, of an attempt that has failed. */
function errorOf({ failed, agreed }: Opened): ConnectError {
  const [error] = failed;
  assertEquals([failed.length, agreed.length], [1, 0]);
  assertInstanceOf(error, ConnectError);
  assertEquals(error.phase, "handshake");
  return error;
}

Deno.test("the request says what was asked for", () => {
  const head = new TextDecoder().decode(open().opening.head);
  assert(head.startsWith("GET /path HTTP/1.1\r\n"));
  for (
    const field of ["Host: host", "X-Y: z", "Origin: http://there", "Sec-WebSocket-Protocol: a"]
  ) {
    assert(head.includes(`${field}\r\n`), field);
  }
  assertMatch(head, /Sec-WebSocket-Extensions: permessage-deflate/);
});

Deno.test("RFC 6455 §4.1: each request has a key of its own", () => {
  const keys = new Set<string>();
  for (let i = 0; i < 1000; i++) {
    const head = new TextDecoder().decode(open().opening.head);
    const key = /Sec-WebSocket-Key: (\S+)/.exec(head)?.[1] ?? "";
    assert(isHandshakeKey(key), key);
    keys.add(key);
  }
  assertEquals(keys.size, 1000);
});

Deno.test("attack 28: an answer that agrees, in any chunks, and the frames behind it", () => {
  const whole = open();
  whole.answer(whole.accept("Sec-WebSocket-Protocol: a\r\nSet-Cookie: b\r\n") + "frames");
  const [{ agreement, response, rest } = fail()] = whole.agreed;
  assertEquals([agreement.protocol, rest, whole.failed.length], ["a", "frames", 0]);
  assertEquals([response.status, response.statusText], [101, "Switching Protocols"]);
  assertEquals([response.headers.get("set-cookie"), response.body.length], ["b", 0]);
  assertStrictEquals(response.headers, response.headers);
  const bytewise = open();
  for (const character of bytewise.accept()) bytewise.answer(character);
  assertEquals([bytewise.agreed.length, bytewise.agreed[0]?.rest], [1, ""]);
  bytewise.answer("more is somebody else's");
  bytewise.opening.end();
  assertEquals([bytewise.agreed.length, bytewise.failed.length], [1, 0]);
});

function fail(): never {
  throw new Error("There was no agreement");
}

Deno.test("attack 28: with a wrong Sec-WebSocket-Accept the frames behind are not looked at", () => {
  const opened = open();
  opened.answer(opened.accept().replace(/Accept: \S+/, `Accept: ${signKey("x")}`) + "frames");
  const error = errorOf(opened);
  assertInstanceOf(error.cause, HandshakeError);
  assertEquals([error.status, error.retryable, error.response?.body.length], [101, false, 0]);
  opened.answer("more");
  errorOf(opened);
});

Deno.test("an answer that is no HTTP", () => {
  const opened = open();
  opened.answer("SSH-2.0-OpenSSH_9.2\r\n\r\n");
  const error = errorOf(opened);
  assertEquals([error.status, error.response, error.retryable], [null, null, true]);
  assertMatch(error.message, /^Cannot connect to ws:\/\/host\/path: /);
});

Deno.test("what the owner throws isn't taken for a wrong answer", () => {
  const opened = open(() => {
    throw new RangeError("the owner's");
  });
  assertThrows(() => opened.answer(opened.accept()), RangeError, "the owner's");
  assertEquals(opened.failed, []);
});

Deno.test("a refusal is told when its body is whole", () => {
  const opened = open();
  opened.answer("HTTP/1.1 503 Busy\r\nContent-Length: 5\r\nRetry-After: 7\r\n\r\nhel");
  assertEquals([opened.failed.length, opened.refusing], [0, 1]);
  opened.answer("lo, and more");
  const error = errorOf(opened);
  assertEquals(error.message, "Cannot connect to ws://host/path: the server answered 503 Busy");
  assertEquals([error.status, error.retryable, error.retryAfter], [503, true, 7000]);
  assertEquals(new TextDecoder().decode(error.response?.body), "hello");
  assertEquals(error.response?.headers.get("retry-after"), "7");
});

Deno.test("a refusal with all of its body, or none, isn't waited for", () => {
  for (
    const rest of [
      "401 Unauthorized\r\nContent-Length: 2\r\n\r\nno",
      "401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
      "304 Not Modified\r\n\r\n",
    ]
  ) {
    const opened = open();
    opened.answer(`HTTP/1.1 ${rest}`);
    errorOf(opened);
  }
  const opened = open();
  opened.answer("HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n");
  const error = errorOf(opened);
  assertEquals(error.message, "Cannot connect to ws://host/path: the server answered 404");
  assertEquals([error.retryable, error.retryAfter], [false, null]);
});

Deno.test("a refusal whose body ends with the transport, or when enough was waited", () => {
  const opened = open();
  opened.answer("HTTP/1.1 400 Bad Request\r\n\r\nbecause");
  opened.opening.end(new Error("reset"));
  opened.opening.end();
  assertEquals(new TextDecoder().decode(errorOf(opened).response?.body), "because");
});

Deno.test("a transport that ends before the answer", () => {
  const opened = open();
  opened.answer("HTTP/1.1 101 Switching");
  const cause = new Error("reset");
  opened.opening.end(cause);
  const error = errorOf(opened);
  assertEquals([error.status, error.response, error.retryable], [null, null, true]);
  assertEquals(error.cause, cause);
  const quiet = open();
  quiet.opening.end();
  assertEquals("cause" in errorOf(quiet), false);
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
