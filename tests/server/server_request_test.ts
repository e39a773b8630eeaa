import { HeaderMap } from "../../src/handshake/header_map.ts";
import { assertEquals, assertStrictEquals } from "@std/assert";
import { isLoopback, SocketRemote, UpgradeServerRequest } from "../../src/server/server_request.ts";

const REMOTE = { address: "192.0.2.1", port: 4711, isLocal: false };

function request(target: string, raw: string[] = ["Host", "a.example:81"], secure = false) {
  return new UpgradeServerRequest(target, raw, { ...REMOTE, scheme: secure ? "wss" : "ws" });
}

Deno.test("a request has its path, its query and the client's address", () => {
  const it = request("/chat?room=1", [
    ...["Host", "a.example:81", "Origin", "https://b.example"],
    ...["Sec-WebSocket-Protocol", "v2, v1", "sec-websocket-protocol", "v0"],
    ...["Cookie", "a=b", "X-Name", "1", "x-name", "2"],
  ]);
  assertEquals(it.url.href, "ws://a.example:81/chat?room=1");
  assertEquals(it.headers.get("cookie"), "a=b");
  assertEquals(it.headers.get("x-name"), "1, 2");
  assertEquals(it.protocols, ["v2", "v1", "v0"]);
  assertEquals(it.origin, "https://b.example");
  assertEquals([it.remoteAddress, it.remotePort], ["192.0.2.1", 4711]);
  const plain = request("/", ["Host", "x"], true);
  assertEquals(plain.url.href, "wss://x/");
  assertEquals([plain.protocols, plain.origin], [[], null]);
});

Deno.test("a request's cookies keep their values unchanged; the first of a name wins; a malformed field is harmless", () => {
  const cookies = (...values: string[]): [string, string][] => [
    ...request("/", values.flatMap((it) => ["Cookie", it])).cookies,
  ];
  assertEquals(cookies(), []);
  assertEquals(cookies("a=b; theme=dark%20blue;token=x=y=="), [
    ["a", "b"],
    ["theme", "dark%20blue"],
    ["token", "x=y=="],
  ]);
  assertEquals(cookies("a=1; a=2", "a=3; b=4"), [["a", "1"], ["b", "4"]]);
  assertEquals(cookies(';; =x; alone; a = " 1 " ; __proto__=2; e='), [
    ["a", '" 1 "'],
    ["__proto__", "2"],
    ["e", ""],
  ]);
});

Deno.test("a request's signal aborts when the client leaves, also if the user reads it later", () => {
  const it = request("/");
  const { signal } = it;
  assertStrictEquals(it.signal, signal);
  assertEquals(signal.aborted, false);
  it.giveUp();
  assertEquals([signal.aborted, signal.reason.name], [true, "AbortError"]);
  const late = request("/");
  late.giveUp();
  assertEquals(late.signal.aborted, true);
});

Deno.test("a request's URL comes from its target, and never throws for a target that a client can send", () => {
  const url = (target: string, host = "a.example"): string =>
    request(target, ["Host", host]).url.href;
  assertEquals(url("/a?b"), "ws://a.example/a?b");
  assertEquals(url("//evil.example/x"), "ws://a.example//evil.example/x");
  assertEquals(url("http://b.example/x?y"), "ws://b.example/x?y");
  assertEquals(url("/a/../b"), "ws://a.example/b");
  for (const target of ["", "*", "a.example:80", "javascript:1", "/a#b", "http://"]) {
    assertEquals(url(target), "ws://a.example/", target);
  }
  for (const host of ["", "a.example:99999", "[::1", "x/admin?", "u@x"]) {
    assertEquals(url("/a", host), "ws://invalid/a", host);
  }
  assertEquals(request("/a", []).url.href, "ws://invalid/a");
});

Deno.test("a request has the remote address of its socket", () => {
  const remoteOf = (socket: object, of: "ws" | "http") => {
    const { scheme, address, port, isLocal } = new SocketRemote(socket, of);
    return { scheme, address, port, isLocal };
  };
  const socket = { localAddress: "192.0.2.7", remoteAddress: "192.0.2.1", remotePort: 4711 };
  const remote = { scheme: "ws", address: "192.0.2.1", port: 4711, isLocal: false } as const;
  assertEquals(remoteOf(socket, "ws"), remote);
  assertEquals(remoteOf({ ...socket, encrypted: true }, "http").scheme, "https");
  assertEquals(remoteOf({ ...socket, localAddress: "127.0.0.1" }, "ws").isLocal, true);
  // A Unix socket has no addresses.
  assertEquals(remoteOf({}, "ws"), { scheme: "ws", address: null, port: null, isLocal: true });
  const loopback = ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "::FFFF:127.0.0.1", null];
  for (const address of loopback) assertEquals(isLoopback(address), true, `${address}`);
  for (const address of ["10.0.0.1", "1.127.0.0", "::", "0.0.0.0", "::ffff:10.0.0.1", "fe80::1"]) {
    assertEquals(isLoopback(address), false, address);
  }
});

Deno.test("header fields are read from a list of alternating names and values", () => {
  assertEquals([...HeaderMap.ofRaw(["A", "1", "b", "2", "a", "3", "odd"])], [
    ["a", "1"],
    ["a", "3"],
    ["b", "2"],
  ]);
});
