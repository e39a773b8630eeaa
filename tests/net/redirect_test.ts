import { assertEquals } from "@std/assert";
import { followRedirect, isRedirect, originOf, type Target } from "../../src/net/redirect.ts";
import { parseConnect } from "../../src/web_socket/connect_request.ts";
import type { HandshakeResponse } from "../../src/web_socket/errors.ts";

function redirect(location: string | null, status = 302): HandshakeResponse {
  const headers = new Headers(location === null ? {} : { Location: location });
  return { status, statusText: "", headers, body: new Uint8Array(0) };
}

function target(url: string, headers: Record<string, string> = {}): Target {
  return {
    request: parseConnect(url, { headers, protocols: ["a", "b"] }),
    origin: "http://page.test",
    tls: { ca: "ca", cert: "cert", key: "key", servername: "name", rejectUnauthorized: true },
  };
}

const FIELDS = {
  Authorization: "Bearer secret",
  Cookie: "a=b",
  Host: "virtual.test",
  "X-Custom": "yes",
};

function follow(from: string, location: string | null): string {
  const next = followRedirect(target(from), redirect(location));
  return typeof next === "string" ? next : next.request.url.href;
}

Deno.test("redirect: which answers are one", () => {
  const all = [200, 300, 301, 302, 303, 304, 305, 306, 307, 308, 309, 101];
  assertEquals(all.filter(isRedirect), [301, 302, 303, 307, 308]);
});

Deno.test("attack 30: where a Location leads", () => {
  assertEquals(follow("ws://a.test/x/y?z", "/there"), "ws://a.test/there");
  assertEquals(follow("ws://a.test/x/y?z", "there?q"), "ws://a.test/x/there?q");
  assertEquals(follow("ws://a.test/x", "//b.test:81/"), "ws://b.test:81/");
  assertEquals(follow("ws://a.test/x", "http://b.test/"), "ws://b.test/");
  assertEquals(follow("ws://a.test/x", "https://a.test/"), "wss://a.test/");
  assertEquals(follow("wss://a.test/x", "https://b.test/"), "wss://b.test/");
  assertEquals(follow("ws://a.test/x", "wss://a.test/#part"), "wss://a.test/");
});

Deno.test("attack 30: what is not followed", () => {
  assertEquals(follow("ws://a.test", null), "the redirect doesn't say where to");
  for (const location of ["ftp://a.test", "javascript:alert(1)", "ws://", "file:///a"]) {
    assertEquals(follow("ws://a.test", location), "the redirect leads to no ws: or wss: URL");
  }
  for (const location of ["ws://a.test", "http://a.test", "ws://b.test"]) {
    assertEquals(follow("wss://a.test", location), "the redirect leads from wss: to ws:");
  }
});

Deno.test("attack 30: within an origin everything goes along", () => {
  const from = target("ws://a.test/x", FIELDS);
  const next = followRedirect(from, redirect("/y")) as Target;
  assertEquals(next.request.headers, from.request.headers);
  assertEquals(next.request.protocols, ["a", "b"]);
  assertEquals([next.origin, next.tls], [from.origin, from.tls]);
});

Deno.test("attack 30: to another origin no credentials go along", () => {
  for (const location of ["ws://b.test/", "wss://a.test/", "ws://a.test:81/", "ws://sub.a.test"]) {
    const next = followRedirect(target("ws://a.test/x", FIELDS), redirect(location)) as Target;
    assertEquals(next.request.headers, [["X-Custom", "yes"]]);
    assertEquals(next.request.protocols, ["a", "b"]);
    assertEquals([next.origin, next.tls], [undefined, { ca: "ca", rejectUnauthorized: true }]);
  }
});

Deno.test("attack 30: the credentials of the first URL don't go to another origin", () => {
  const from = target("ws://user:secret@a.test/");
  assertEquals(from.request.headers.length, 1);
  const next = followRedirect(from, redirect("ws://b.test/")) as Target;
  assertEquals(next.request.headers, []);
});

Deno.test("redirect: credentials that it brings along itself are used", () => {
  const next = followRedirect(target("ws://a.test/"), redirect("ws://u:p@b.test/")) as Target;
  assertEquals(next.request.headers, [["Authorization", "Basic dTpw"]]);
  assertEquals(next.request.url.href, "ws://b.test/");
  const named = followRedirect(target("ws://a.test/", FIELDS), redirect("//u:p@a.test/")) as Target;
  assertEquals(named.request.headers.filter(([name]) => name === "Authorization"), [
    ["Authorization", "Bearer secret"],
  ]);
});

Deno.test("redirect: origins differ in scheme, host or port", () => {
  assertEquals(originOf(new URL("ws://A.test:80/x")), "ws://a.test");
  assertEquals(originOf(new URL("wss://a.test:80")), "wss://a.test:80");
});
