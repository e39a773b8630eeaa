import { assertEquals, assertThrows } from "@std/assert";
import {
  checkResponse,
  type ClientHandshakeOptions,
  startClientHandshake,
} from "../../src/handshake/client_handshake.ts";
import type { ResponseHead } from "../../src/handshake/http_head.ts";
import { assertFailures, failureMessage, NONCE, responseHead, text } from "./support.ts";

function requestLines(url: string, options: ClientHandshakeOptions = {}): string[] {
  return text(startClientHandshake(new URL(url), NONCE, options).head).split("\r\n");
}

function hostOf(url: string): string | undefined {
  return requestLines(url).find((line) => line.startsWith("Host: "));
}

const OWN = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

Deno.test("The request has the form of RFC 6455 §4.1", () => {
  const handshake = startClientHandshake(new URL("ws://example.com/chat?a=b#c"), NONCE);
  assertEquals(
    text(handshake.head),
    ["GET /chat?a=b HTTP/1.1", "Host: example.com", ...OWN, "", ""].join("\r\n"),
  );
  assertEquals(handshake.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  assertEquals(handshake.protocols, []);
  assertEquals(handshake.compression, null);
});

Deno.test("The request contains what the options specify", () => {
  const lines = requestLines("wss://example.com:8443", {
    protocols: ["v2", "v1"],
    headers: [["Cookie", "a=b"], ["X", "1"], ["X", "2"], ["Authorization", "Bearer t"]],
    origin: "https://example.com",
    compression: { clientMaxWindowBits: 10 },
  });
  assertEquals(lines, [
    "GET / HTTP/1.1",
    "Host: example.com:8443",
    ...OWN,
    "Sec-WebSocket-Protocol: v2, v1",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10",
    "Cookie: a=b",
    "X: 1",
    "X: 2",
    "Authorization: Bearer t",
    "Origin: https://example.com",
    "",
    "",
  ]);
});

Deno.test("Host contains a port other than the scheme's default, and brackets for IPv6", () => {
  const cases: [string, string][] = [
    ["ws://example.com:80/", "example.com"],
    ["ws://example.com:443/", "example.com:443"],
    ["wss://example.com:443/", "example.com"],
    ["wss://example.com:80/", "example.com:80"],
    ["http://example.com:80/", "example.com"],
    ["https://example.com:443/", "example.com"],
    ["ws://[::1]/", "[::1]"],
    ["ws://[::1]:9001/", "[::1]:9001"],
    ["ws://bücher.example/", "xn--bcher-kva.example"],
  ];
  for (const [url, host] of cases) assertEquals(hostOf(url), `Host: ${host}`, url);
});

Deno.test("A user may set Host and Origin as headers", () => {
  const lines = requestLines("ws://127.0.0.1/", {
    headers: new Map([["hOST", "virtual.example"], ["origin", "null"]]),
  });
  const expected = ["GET / HTTP/1.1", "Host: virtual.example", ...OWN, "origin: null", "", ""];
  assertEquals(lines, expected);
});

Deno.test("A default User-Agent is sent unless the user sets one", () => {
  const sent = (options: ClientHandshakeOptions): string[] =>
    requestLines("ws://a/", options).filter((it) => /^user-agent:/i.test(it));
  assertEquals(sent({}), []);
  assertEquals(sent({ userAgent: "a/1" }), ["User-Agent: a/1"]);
  const headers = [["user-agent", "b"] as const];
  assertEquals(sent({ userAgent: "a/1", headers }), ["user-agent: b"]);
});

Deno.test("Headers that can be read only once are sent", () => {
  const headers = [["X", "1"] as const].values();
  assertEquals(requestLines("ws://a/", { headers }).includes("X: 1"), true);
});

Deno.test("Malformed arguments are rejected", () => {
  const start = (options: ClientHandshakeOptions): unknown => requestLines("ws://a/", options);
  assertThrows(() => start({ protocols: ["a\r\nb: c"] }), TypeError);
  assertThrows(() => start({ origin: "a\r\nb: c" }), TypeError);
  const url = new URL("ws://a/");
  assertThrows(
    () => startClientHandshake(url, new Uint8Array(15)),
    RangeError,
    "must have 16 bytes",
  );
});

function check(response: ResponseHead, options: ClientHandshakeOptions = {}): unknown {
  return checkResponse(startClientHandshake(new URL("ws://a/"), NONCE, options), response);
}

Deno.test("A correct response is accepted", () => {
  const nothing = { protocol: null, extensions: "", deflate: null };
  assertEquals(check(responseHead()), nothing);
  assertEquals(check(responseHead({ Upgrade: "WebSocket", Connection: "x, UPGRADE" })), nothing);
  assertEquals(check(responseHead({ Connection: "keep-alive\nupgrade" })), nothing);
  assertEquals(check(responseHead({}, { statusText: "" })), nothing);
});

Deno.test("An accepted response has the agreed subprotocol and extensions", () => {
  const agreed = check(
    responseHead({
      "Sec-WebSocket-Protocol": "v1",
      "Sec-WebSocket-Extensions": 'permessage-deflate;server_max_window_bits="9"',
    }),
    { protocols: ["v2", "v1"], compression: {} },
  );
  assertEquals(agreed, {
    protocol: "v1",
    extensions: "permessage-deflate; server_max_window_bits=9",
    deflate: {
      serverNoContextTakeover: false,
      clientNoContextTakeover: false,
      serverMaxWindowBits: 9,
      clientMaxWindowBits: 15,
    },
  });
});

Deno.test("G30 a status other than 101 is a refusal", () => {
  for (const status of [200, 204, 301, 400, 401, 404, 426, 503, 999]) {
    assertFailures("bad-status", [[`${status}`, () => check(responseHead({}, { status }))]]);
  }
});

Deno.test("A refusal names the response's status, an HTML body, and the probable fault of a proxy", () => {
  const refused = (status: number, statusText: string, type: string | null = null): string =>
    failureMessage(() => check(responseHead({ "Content-Type": type }, { status, statusText })));
  assertEquals(refused(404, "Not Found"), "the server answered 404 Not Found");
  assertEquals(refused(404, ""), "the server answered 404");
  assertEquals(refused(403, "No\x9b31m\xe9\t"), "the server answered 403 No\\x9b31m\\xe9\\x09");
  assertEquals(refused(404, "no GET /a?b HTTP/1.1"), "the server answered 404 no GET /a");
  assertEquals(refused(404, "?b"), "the server answered 404");
  assertEquals(refused(403, "x".repeat(99)), `the server answered 403 ${"x".repeat(80)}`);
  assertEquals(
    refused(200, "OK", "Text/HTML; charset=utf-8"),
    "the server answered 200 OK, text/html: is the path proxied to a WebSocket server?",
  );
  assertEquals(
    refused(404, "Not Found", "text/html"),
    "the server answered 404 Not Found, text/html",
  );
  assertEquals(refused(401, "No", "text/htmlx"), "the server answered 401 No");
  assertEquals(
    refused(502, "Bad Gateway", "text/html"),
    "the server answered 502 Bad Gateway, text/html: " +
      "a proxy got no valid answer from the server behind it",
  );
  assertEquals(
    refused(504, "Gateway Timeout"),
    "the server answered 504 Gateway Timeout: " +
      "a proxy got no answer in time from the server behind it",
  );
  assertEquals(
    refused(426, "Upgrade Required"),
    "the server answered 426 Upgrade Required: does a proxy drop the Upgrade header field?",
  );
});

Deno.test("An empty subprotocol or extension in a response counts as none", () => {
  const NOTHING = { protocol: null, extensions: "", deflate: null };
  const empty = { "Sec-WebSocket-Protocol": "", "Sec-WebSocket-Extensions": "" };
  for (const compression of [null, {}]) {
    assertEquals(check(responseHead(empty), { compression }), NOTHING);
  }
  assertEquals(
    failureMessage(() => check(responseHead(empty), { protocols: ["a"] })),
    "the server chose none of the offered subprotocols",
  );
});

Deno.test("G29 G30 a wrong response fails the handshake, and the reason names the fault", () => {
  const accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
  assertFailures("bad-version", [["1.0", () => check(responseHead({}, { version: "1.0" }))]]);
  const changes: [Parameters<typeof assertFailures>[0], string, (string | null)[]][] = [
    ["bad-upgrade", "Upgrade", [null, "", "h2c", "websocket, h2c", "websocket\nwebsocket"]],
    ["bad-connection", "Connection", [null, "", "close", "upgraded", "up grade"]],
    ["bad-accept", "Sec-WebSocket-Accept", [
      null,
      "",
      accept.toLowerCase(),
      `${accept}\n${accept}`,
      "HSmrc0sMlYUkAGmm5OPpG2HaGWk=",
    ]],
    ["bad-protocol", "Sec-WebSocket-Protocol", [null, "", "c", "A", "a, b", "a\na", "a\nb"]],
    ["bad-extensions", "Sec-WebSocket-Extensions", [
      ",",
      "x",
      "permessage-deflate\npermessage-deflate",
      "permessage-deflate\nx",
      "permessage-deflate;",
    ]],
  ];
  const options = { protocols: ["a", "b"], compression: {} };
  for (const [reason, name, values] of changes) {
    const agreed = { "Sec-WebSocket-Protocol": "a" };
    const bodies = values.map((value) =>
      [
        `${name}: ${value}`,
        () => check(responseHead({ ...agreed, [name]: value }), options),
      ] as const
    );
    assertFailures(reason, bodies);
  }
});

Deno.test("The message of a failed handshake names the header, and contains no value", () => {
  const message = (value: string | null): string =>
    failureMessage(() => check(responseHead({ Upgrade: value })));
  assertEquals(message(null), "the answer's Upgrade is missing");
  assertEquals(message("\x1bx"), "the answer's Upgrade is invalid");
  const twice = responseHead({});
  twice.headers.append("Sec-WebSocket-Accept", "x");
  assertEquals(
    failureMessage(() => check(twice)),
    "the answer's Sec-WebSocket-Accept is invalid: it appears more than once",
  );
});

Deno.test("The message about a wrong subprotocol says whether the server chose none or one that was not offered", () => {
  const message = (value: string | null, protocols: string[]): string =>
    failureMessage(() => check(responseHead({ "Sec-WebSocket-Protocol": value }), { protocols }));
  assertEquals(
    message(null, ["a", "b"]),
    "the server chose none of the offered subprotocols",
  );
  for (const [value, protocols] of [["c", ["a"]], ["a, b", ["a"]]] as const) {
    assertEquals(
      message(value, [...protocols]),
      "the server chose a subprotocol that was not offered",
    );
  }
  assertEquals(
    message("c", []),
    "the server chose a subprotocol that was not offered",
  );
  assertEquals(
    message("a\na", ["a"]),
    "the answer's Sec-WebSocket-Protocol is invalid: it appears more than once",
  );
});
