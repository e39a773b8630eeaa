import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  checkResponse,
  type ClientHandshakeOptions,
  startClientHandshake,
} from "../../src/handshake/client_handshake.ts";
import { chooseDeflate } from "../../src/permessage_deflate/deflate_parameters.ts";
import { parseExtensions } from "../../src/handshake/extensions.ts";
import { HeaderMap } from "../../src/handshake/header_map.ts";
import {
  MAX_HEAD,
  MAX_INTERIM_RESPONSES,
  MAX_START_LINE,
  ResponseParser,
} from "../../src/handshake/http_head.ts";
import {
  acceptRequest,
  checkRequest,
  refuse,
  serializeAcceptance,
  serializeRefusal,
} from "../../src/handshake/server_handshake.ts";
import {
  assertFailures,
  bytes,
  failure,
  NONCE,
  type Parser,
  requestHead,
  responseHead,
  text,
} from "../handshake/support.ts";
import { RequestParser } from "../support/request_parser.ts";

const URL_ = new URL("ws://example.com/");

function answer(
  changes: Record<string, string | null>,
  options: ClientHandshakeOptions = {},
): void {
  checkResponse(startClientHandshake(URL_, NONCE, options), responseHead(changes));
}

function statusOf(changes: Record<string, string | null>): number {
  return checkRequest(requestHead(changes)).refusal?.status ?? 101;
}

/** How many bytes of an endless input a parser reads before it fails. */
function bytesUntilFailure(parser: Parser<unknown>, start: string, again: string): number {
  const chunk = bytes(again);
  let taken = start.length;
  try {
    parser.push(bytes(start));
    for (;;) {
      assertEquals(parser.push(chunk), null);
      taken += chunk.length;
    }
  } catch {
    return taken + chunk.length;
  }
}

Deno.test("attack 21: an answer's illegal parameters fail the handshake", () => {
  const illegal = [
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=1000",
    "server_max_window_bits=0",
    "server_max_window_bits=-1",
    "server_max_window_bits=09",
    "server_max_window_bits=9a",
    "server_max_window_bits",
    "client_max_window_bits",
    "client_max_window_bits=7",
    "server_max_window_bits=9; server_max_window_bits=9",
    "server_no_context_takeover; server_no_context_takeover",
    "server_no_context_takeover=0",
    "unknown",
    "constructor=9",
  ];
  assertFailures(
    "bad-extensions",
    illegal.map((it) => {
      const value = `permessage-deflate; ${it}`;
      const body = (): void => answer({ "Sec-WebSocket-Extensions": value }, { compression: {} });
      return [it, body] as const;
    }),
  );
});

Deno.test("attack 21: an offer's illegal parameters decline the offer, never the server", () => {
  for (const bits of ["7", "16", "1000", "0", "-1", "09", "NaN"]) {
    const offers = parseExtensions(`permessage-deflate; server_max_window_bits=${bits}`);
    assertEquals(chooseDeflate(offers, {}), null);
  }
});

Deno.test("attack 22: window bits of 8 are agreed to as 8, never as 9", () => {
  const offers = parseExtensions(
    "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8",
  );
  const choice = chooseDeflate(offers, {});
  assertEquals(choice?.parameters.serverMaxWindowBits, 8);
  assertEquals(choice?.parameters.clientMaxWindowBits, 8);
});

Deno.test("attack 26: endless start lines, header lines and heads fail at a limit", () => {
  for (const make of [() => new RequestParser(), () => new ResponseParser()]) {
    const start = make() instanceof RequestParser ? "GET / HTTP/1.1\r\n" : "HTTP/1.1 200 OK\r\n";
    assert(bytesUntilFailure(make(), "", "a") <= MAX_START_LINE + 1);
    assert(bytesUntilFailure(make(), start, "a") <= MAX_HEAD + 1);
    assert(bytesUntilFailure(make(), start, "a: b\r\n") <= 1024);
    assert(bytesUntilFailure(make(), start + "a:", " ") <= MAX_HEAD + 1);
  }
});

Deno.test("attack 26: endless interim answers fail at a limit", () => {
  const interim = "HTTP/1.1 100 Continue\r\n\r\n";
  assertEquals(
    bytesUntilFailure(new ResponseParser(), "", interim),
    interim.length * (MAX_INTERIM_RESPONSES + 1),
  );
});

Deno.test("attack 27: a wrong 101 fails the handshake", () => {
  const accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
  const cases: [Parameters<typeof assertFailures>[0], Record<string, string | null>][] = [
    ["bad-accept", { "Sec-WebSocket-Accept": null }],
    ["bad-accept", { "Sec-WebSocket-Accept": "dGhlIHNhbXBsZSBub25jZQ==" }],
    ["bad-accept", { "Sec-WebSocket-Accept": `${accept}\n${accept}` }],
    ["bad-accept", { "Sec-WebSocket-Accept": `${accept}, x` }],
    ["bad-upgrade", { Upgrade: null }],
    ["bad-upgrade", { Upgrade: "h2c" }],
    ["bad-connection", { Connection: null }],
    ["bad-connection", { Connection: "keep-alive" }],
    ["bad-protocol", { "Sec-WebSocket-Protocol": null }],
    ["bad-protocol", { "Sec-WebSocket-Protocol": "b" }],
    ["bad-protocol", { "Sec-WebSocket-Protocol": "a\na" }],
    ["bad-extensions", { "Sec-WebSocket-Extensions": "x-other" }],
    ["bad-extensions", { "Sec-WebSocket-Extensions": "permessage-deflate" }],
    ["bad-extensions", { "Sec-WebSocket-Extensions": "permessage-deflate\nx" }],
  ];
  for (const [reason, changes] of cases) {
    const name = JSON.stringify(changes);
    const agreed = { "Sec-WebSocket-Protocol": "a", ...changes };
    assertFailures(reason, [[name, () => answer(agreed, { protocols: ["a"] })]]);
  }
});

Deno.test("attack 28: frames behind the 101 are kept unread, with any split", () => {
  const acceptance = acceptRequest(checkRequest(requestHead()).request ?? fail());
  const head = text(serializeAcceptance(acceptance));
  const frames = "\x81\x02hi\x88\x00\r\n\r\nHTTP/1.1 500 no\r\n\r\n";
  const all = bytes(head + frames);
  for (let at = 0; at <= all.length; at++) {
    const parser = new ResponseParser();
    const first = parser.push(all.subarray(0, at));
    const parsed = first ?? parser.push(all.subarray(at));
    assertEquals(parsed?.head.status, 101);
    const rest = text(parsed?.rest ?? new Uint8Array()) + (first ? text(all.subarray(at)) : "");
    assertEquals(rest, frames, `split at ${at}`);
  }
});

function fail(): never {
  throw new Error("The request should have been accepted");
}

Deno.test("attack 29: no value of a program adds a line to a request or an answer", () => {
  const evil = ["a\r\nX: y", "a\nX: y", "a\rX: y", "a\0", "a\u{10d}\u{10a}X: y", "a\x85\u{2028}"];
  const request = checkRequest(requestHead()).request ?? fail();
  for (const value of evil) {
    const attempts: (() => unknown)[] = [
      () => startClientHandshake(URL_, NONCE, { headers: [["X", value]] }),
      () => startClientHandshake(URL_, NONCE, { headers: [[value, "v"]] }),
      () => startClientHandshake(URL_, NONCE, { headers: [["Host", value]] }),
      () => startClientHandshake(URL_, NONCE, { protocols: [value] }),
      () => startClientHandshake(URL_, NONCE, { origin: value }),
      () => serializeAcceptance(acceptRequest(request, { headers: [["Set-Cookie", value]] })),
      () => refuse(403, { statusText: value }),
      () => serializeRefusal(refuse(302, { headers: [["Location", value]] })),
    ];
    for (const attempt of attempts) assertThrows(attempt, TypeError, "Cannot", value);
  }
});

Deno.test("attack 29: a URL's path and query stay on one line", () => {
  for (const path of ["/a\r\nX: y", "/a b", "/\u{10a}", "/?a\r\n\r\nGET", "/\0", "/a%0d%0ab"]) {
    const { head } = startClientHandshake(new URL(`ws://example.com${path}`), NONCE);
    const parsed = new RequestParser().push(head);
    assertEquals([...parsed?.head.headers ?? []].length, 5);
    assertEquals(parsed?.rest.length, 0);
  }
});

Deno.test("attack 35: every refusal closes the connection", () => {
  const heads = [
    requestHead({}, { method: "POST" }),
    requestHead({}, { version: "1.0" }),
    requestHead({ Host: null }),
    requestHead({ Upgrade: null }),
    requestHead({ Connection: null }),
    requestHead({ "Sec-WebSocket-Version": "99" }),
    requestHead({ "Sec-WebSocket-Key": "x" }),
  ];
  const refusals = [...heads.map((it) => checkRequest(it).refusal ?? fail()), refuse(403)];
  for (const refusal of refusals) {
    const parsed = new ResponseParser().push(serializeRefusal(refusal));
    assert(parsed !== null);
    assert(parsed.head.headers.lists("connection", "close"), refusal.statusText);
    assertEquals(parsed.head.headers.get("content-length"), String(parsed.rest.length));
  }
});

Deno.test("attack 35: a request with a body is no request for an upgrade", () => {
  assertEquals(statusOf({ "Content-Length": "5" }), 400);
  assertEquals(statusOf({ "Content-Length": "0, 5" }), 400);
  assertEquals(statusOf({ "Transfer-Encoding": "chunked" }), 400);
});

Deno.test("attack 36: headers that are missing, repeated or lists get an answer", () => {
  const empty = { method: "GET", target: "/", version: "1.1", headers: new HeaderMap() };
  assertEquals(checkRequest(empty).refusal?.status, 400);
  const names = ["Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"];
  for (const name of names) {
    for (const value of [null, "", ",", " , ,", "\n", "x", "x, y", "\u{ff}"]) {
      const status = statusOf({ [name]: value });
      const legal = name === "Host" && value === "x";
      assert(legal ? status === 101 : status === 400 || status === 426, `${name}: ${value}`);
    }
  }
});

Deno.test("attack 36: Upgrade and Connection are lists in any letter case", () => {
  for (const value of ["WebSocket", "WEBSOCKET", "h2c, websocket", "h2c\nwebsocket"]) {
    assertEquals(statusOf({ Upgrade: value }), 101, value);
  }
  for (const value of ["upgrade", "keep-alive, UPGRADE", "keep-alive\nUpgrade", ",upgrade,"]) {
    assertEquals(statusOf({ Connection: value }), 101, value);
  }
});

Deno.test("attack 37: names of an object's own members mean nothing", () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];
  const list = names.map((it) => `${it}; ${it}=${it}`).join(", ");
  const check = checkRequest(requestHead({
    "Sec-WebSocket-Extensions": list,
    "Sec-WebSocket-Protocol": names.join(", "),
  }));
  assert(check.request !== null);
  const acceptance = acceptRequest(check.request, { protocols: ["x"], compression: {} });
  assertEquals([acceptance.protocol, acceptance.extensions], [null, ""]);
  assertEquals(acceptRequest(check.request, { protocols: ["__proto__"] }).protocol, "__proto__");
  for (const name of names) {
    const value = `permessage-deflate; ${name}`;
    const body = (): void => answer({ "Sec-WebSocket-Extensions": value }, { compression: {} });
    assertEquals(failure(body), "bad-extensions");
  }
});

Deno.test("attack 38: an invalid key, another version, another method, HTTP/1.0", () => {
  const keys = ["", "AAAA", "x".repeat(24), "dGhlIHNhbXBsZSBub25jZWE=", "dGhlIHNhbXBsZSBub25jZQ"];
  for (const key of keys) assertEquals(statusOf({ "Sec-WebSocket-Key": key }), 400, key);
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  assertEquals(statusOf({ "Sec-WebSocket-Key": `${key}\n${key}` }), 400);
  for (const version of ["8", "7", "25", "0", "", "013", "13.0", "13, 8", "8\n13"]) {
    const { refusal } = checkRequest(requestHead({ "Sec-WebSocket-Version": version }));
    assertEquals(refusal?.status, 426, version);
    const headers = new HeaderMap(refusal?.headers);
    assertEquals(headers.get("sec-websocket-version"), "13");
    assertEquals(headers.get("upgrade"), "websocket");
    assert(headers.lists("connection", "upgrade"));
  }
  for (const method of ["POST", "HEAD", "CONNECT", "get", "OPTIONS"]) {
    const { refusal } = checkRequest(requestHead({}, { method }));
    assertEquals([refusal?.status, new HeaderMap(refusal?.headers).get("allow")], [405, "GET"]);
  }
  assertEquals(checkRequest(requestHead({}, { version: "1.0" })).refusal?.status, 505);
});

Deno.test("attack 40: the drafts' handshakes are refused", () => {
  const draft76 = requestHead({
    "Sec-WebSocket-Key": null,
    "Sec-WebSocket-Version": null,
    "Sec-WebSocket-Key1": "4 @1  46546xW%0l 1 5",
    "Sec-WebSocket-Key2": "12998 5 Y3 1  .P00",
    Origin: "http://example.com",
  });
  assertEquals(checkRequest(draft76).refusal?.status, 426);
  assertEquals(statusOf({ "Sec-WebSocket-Version": "8", "Sec-WebSocket-Origin": "x" }), 426);
});
