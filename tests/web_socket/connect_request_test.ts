import { assertEquals, assertThrows } from "@std/assert";
import { type ConnectRequest, parseConnect } from "../../src/web_socket/connect_request.ts";
import type { ConnectOptions } from "../../src/web_socket/options.ts";

const URL_TEXT = "ws://example.com";

function parse(options: ConnectOptions, url: string | URL = URL_TEXT): ConnectRequest {
  return parseConnect(url, options);
}

function href(url: string | URL): string {
  return parseConnect(url, {}).url.href;
}

// The URL.

Deno.test("connect request: accepts ws, wss, http and https, as text or a URL", () => {
  assertEquals(href("ws://example.com"), "ws://example.com/");
  assertEquals(href("WSS://Example.COM:443/a?b"), "wss://example.com/a?b");
  assertEquals(href(new URL("ws://example.com/")), "ws://example.com/");
});

Deno.test("connect request C19 (changed) http becomes ws, and https becomes wss", () => {
  assertEquals(href("http://example.com/a?b=c"), "ws://example.com/a?b=c");
  assertEquals(href("https://example.com:8443"), "wss://example.com:8443/");
  assertEquals(href("https://example.com:443"), "wss://example.com/");
});

Deno.test("connect request: it does not change the caller's URL", () => {
  const url = new URL("http://user:secret@example.com/");
  parseConnect(url, {});
  assertEquals(url.href, "http://user:secret@example.com/");
});

Deno.test("connect request: another scheme, a fragment, or no URL is a SyntaxError", () => {
  for (
    const [url, message] of [
      ["ftp://example.com", "the URL's scheme must be ws: or wss:, got ftp:"],
      ["file:///a", "the URL's scheme must be ws: or wss:, got file:"],
      ["constructor:a", "the URL's scheme must be ws: or wss:, such as ws://localhost:8080"],
      ["localhost:8080", "the URL's scheme must be ws: or wss:, such as ws://localhost:8080"],
      ["ws://example.com/#part", "the URL must have no fragment, got ws://example.com/#…"],
      ["ws://example.com/#", "the URL must have no fragment, got ws://example.com/#…"],
      ["ws://", "the URL is malformed, got ws://… (5 characters)"],
      ["ws://example.com:99999", "the URL is malformed, got ws://… (22 characters)"],
    ] as const
  ) {
    const error = assertThrows(() => href(url), SyntaxError);
    assertEquals(error.message, `Cannot connect: ${message}`);
  }
});

Deno.test("connect request: a relative URL without a location is a SyntaxError", {
  ignore: globalThis.location !== undefined,
}, () => {
  for (const url of ["/chat", "127.0.0.1:8080"]) {
    const error = assertThrows(() => href(url), SyntaxError);
    assertEquals(
      error.message,
      `Cannot connect: the URL is malformed, got a text of ${url.length} characters. ` +
        "Begin it with ws:// or wss://",
    );
  }
});

Deno.test("connect request: a relative URL is resolved against the location", {
  ignore: globalThis.location !== undefined,
}, () => {
  const location = { href: "https://example.com/app/page" };
  Object.defineProperty(globalThis, "location", { value: location, configurable: true });
  try {
    assertEquals(href("/chat"), "wss://example.com/chat");
    assertEquals(href("chat?a"), "wss://example.com/app/chat?a");
    assertEquals(href("ws://other.example"), "ws://other.example/");
  } finally {
    Reflect.deleteProperty(globalThis, "location");
  }
});

// Subprotocols. RFC 6455 §4.1.

Deno.test("connect request: subprotocols are a list or a single one", () => {
  assertEquals(parse({}).protocols, []);
  assertEquals(parse({ protocols: "a" }).protocols, ["a"]);
  assertEquals(parse({ protocols: ["a", "b.c", "A"] }).protocols, ["a", "b.c", "A"]);
});

Deno.test("connect request: it does not keep the caller's list", () => {
  const given = ["a"];
  const { protocols } = parse({ protocols: given });
  given.push("b");
  assertEquals(protocols, ["a"]);
});

Deno.test("connect request: header fields in each form that fetch accepts", () => {
  const expected = [["X-A", "1"], ["X-B", "2"]] as const;
  assertEquals(parse({ headers: { "X-A": "1", "X-B": "2" } }).headers, expected);
  assertEquals(parse({ headers: [["X-A", "1"], ["X-B", "2"]] }).headers, expected);
  const headers = parse({ headers: new Headers({ "X-A": "1", "X-B": "2" }) }).headers;
  assertEquals(headers, [["x-a", "1"], ["x-b", "2"]]);
});

Deno.test("connect request: header fields in any iterable are read once, and none is ignored", () => {
  const expected = [["X-A", "1"], ["X-B", "2"]];
  const given = new Map([["X-A", "1"], ["X-B", "2"]]);
  assertEquals(parse({ headers: [...given] }).headers, expected as [string, string][]);
  for (const headers of [given, given.entries()]) {
    const iterable = headers as unknown as [string, string][];
    assertEquals(parse({ headers: iterable }).headers, expected as [string, string][]);
  }
  const once = new Map([["Origin", "https://a.example"]]).entries();
  const headers = once as unknown as [string, string][];
  assertThrows(() => parse({ headers, origin: "https://b.example" }), TypeError, "origin");
});

Deno.test("connect request: headers that are not pairs, or not headers at all, are a TypeError", () => {
  for (const bad of [[["a"]], [["a", "b", "c"]], [[]], [1], "a: b", null, 42]) {
    const headers = bad as unknown as [string, string][];
    assertThrows(() => parse({ headers }), TypeError, undefined, JSON.stringify(bad));
  }
});

Deno.test("connect request: a malformed header field is a TypeError, which prevents header injection", () => {
  for (
    const [name, value] of [
      ["X-A", "a\r\nX-B: b"],
      ["X-A", "a\nb"],
      ["X-A", "a\0b"],
      ["X A", "b"],
      ["", "b"],
      ["X-A:", "b"],
    ] as const
  ) {
    assertThrows(() => parse({ headers: [[name, value]] }), TypeError);
  }
});

Deno.test("connect request: it has exactly one User-Agent", () => {
  const headers = { "user-agent": "a" };
  assertEquals(parse({ headers }).headers, [["user-agent", "a"]]);
  assertEquals(parse({ userAgent: "b" }).headers, []);
  for (const userAgent of ["b", null]) {
    const error = assertThrows(() => parse({ headers, userAgent }), TypeError);
    assertEquals(
      error.message,
      "Cannot use the option userAgent: it must be left out if headers has a User-Agent",
    );
  }
});

Deno.test("connect request: the user cannot set the handshake's own header fields", () => {
  for (const name of ["Upgrade", "Connection", "Sec-WebSocket-Key", "sec-websocket-version"]) {
    const error = assertThrows(() => parse({ headers: { [name]: "x" } }), TypeError);
    assertEquals(
      error.message,
      `Cannot use the option headers: the header field ${name} is reserved for the handshake`,
    );
  }
});

Deno.test("connect request: user info becomes a header field and is removed from the URL. RFC 7617 §2", () => {
  const { url, headers } = parse({}, "ws://Aladdin:open%20sesame@example.com/");
  assertEquals(url.href, "ws://example.com/");
  assertEquals(headers, [["Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]]);
  assertEquals(parse({}, "ws://user@example.com").headers, [[
    "Authorization",
    `Basic ${btoa("user:")}`,
  ]]);
  const umlaut = parse({}, "ws://%C3%BC:p@example.com").headers;
  assertEquals(umlaut, [["Authorization", `Basic ${btoa("\xc3\xbc:p")}`]]);
});

Deno.test("connect request: the user's header field takes precedence over user info", () => {
  const headers = { authorization: "Bearer token" };
  assertEquals(parse({ headers }, "ws://user:secret@example.com").headers, [
    ["authorization", "Bearer token"],
  ]);
});
