import { assertEquals, assertStrictEquals } from "@std/assert";
import { HeaderMap } from "../../src/handshake/header_map.ts";
import { fieldsOfRaw, requestUrl, UpgradeServerRequest } from "../../src/server/server_request.ts";

const REMOTE = { secure: false, address: "192.0.2.1", port: 4711 };

function request(target: string, raw: string[] = ["Host", "a.example:81"], secure = false) {
  return new UpgradeServerRequest(target, raw, { ...REMOTE, secure });
}

Deno.test("a request tells what was asked for, and from where", () => {
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

Deno.test("a request's signal aborts when the client is gone, asked for before or after", () => {
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

Deno.test("a target is a path, whatever it looks like", () => {
  const url = (target: string, host = "a.example"): string | undefined => {
    const headers = new HeaderMap([["Host", host]]);
    return requestUrl({ method: "GET", target, version: "1.1", headers }, false)?.href;
  };
  assertEquals(url("/a?b"), "ws://a.example/a?b");
  assertEquals(url("//evil.example/x"), "ws://a.example//evil.example/x");
  assertEquals(url("http://evil.example/x?y"), "ws://a.example/x?y");
  assertEquals(url("/a/../b"), "ws://a.example/b");
  for (const target of ["", "*", "a.example:80", "javascript:1", "/a#b", "http://"]) {
    assertEquals(url(target), undefined, target);
  }
  assertEquals(url("/", "a.example:99999"), undefined);
  assertEquals(url("/", "[::1"), undefined);
});

Deno.test("header fields from a list of names and values by turns", () => {
  assertEquals([...fieldsOfRaw(["A", "1", "b", "2", "a", "3", "odd"])], [
    ["a", "1"],
    ["a", "3"],
    ["b", "2"],
  ]);
});
