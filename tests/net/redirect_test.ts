import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  followRedirect,
  type Hop,
  isRedirect,
  originOf,
  type Target,
} from "../../src/net/redirect.ts";
import type { ConnectOptions, Redirect } from "../../src/net/mod.ts";
import { parseConnect } from "../../src/web_socket/connect_request.ts";
import { ConnectError, type HandshakeResponse } from "../../src/web_socket/errors.ts";

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

/** Follows a redirect, or throws if the client must not follow it. */
function next(
  from: Target,
  location: string | null,
  onRedirect?: ConnectOptions["onRedirect"],
  more: Partial<Hop> = {},
): Promise<Target> {
  const refusal = new ConnectError("302", { response: redirect(location) });
  const hop = { target: from, refusal, count: 1, limit: 10, onRedirect, isPinned: false };
  return followRedirect({ ...hop, ...more });
}

/** The target of a redirect, or the reason not to follow it. */
async function follow(
  from: string,
  location: string | null,
  onRedirect?: ConnectOptions["onRedirect"],
  more: Partial<Hop> = {},
): Promise<string> {
  try {
    return (await next(target(from), location, onRedirect, more)).request.url.href;
  } catch (error) {
    assertInstanceOf(error, ConnectError);
    assertEquals([error.phase, error.status, error.retryable], ["handshake", 302, false]);
    return error.message.replace(/^Cannot connect to \S+: /, "");
  }
}

Deno.test("redirect: only some statuses are redirects", () => {
  const all = [200, 300, 301, 302, 303, 304, 305, 306, 307, 308, 309, 101];
  assertEquals(all.filter(isRedirect), [301, 302, 303, 307, 308]);
});

Deno.test("attack 30: a redirect resolves its Location", async () => {
  assertEquals(await follow("ws://a.test/x/y?z", "/there"), "ws://a.test/there");
  assertEquals(await follow("ws://a.test/x/y?z", "there?q"), "ws://a.test/x/there?q");
  assertEquals(await follow("ws://a.test/x", "//b.test:81/"), "ws://b.test:81/");
  assertEquals(await follow("ws://a.test/x", "http://b.test/"), "ws://b.test/");
  assertEquals(await follow("ws://a.test/x", "https://a.test/"), "wss://a.test/");
  assertEquals(await follow("wss://a.test/x", "https://b.test/"), "wss://b.test/");
  assertEquals(await follow("ws://a.test/x", "wss://a.test/#part"), "wss://a.test/");
});

Deno.test("attack 30: the client doesn't follow unsafe or malformed redirects", async () => {
  assertEquals(await follow("ws://a.test", null), "the redirect has no Location");
  for (const location of ["ftp://a.test", "javascript:alert(1)", "ws://", "file:///a"]) {
    assertEquals(await follow("ws://a.test", location), "the redirect leads to no ws: or wss: URL");
  }
  for (const location of ["ws://a.test", "http://a.test", "ws://b.test"]) {
    assertEquals(await follow("wss://a.test", location), "the redirect leads from wss: to ws:");
  }
});

Deno.test("attack 30: a redirect within an origin keeps all header fields", async () => {
  const from = target("ws://a.test/x", FIELDS);
  const it = await next(from, "/y");
  assertEquals(it.request.headers, from.request.headers);
  assertEquals(it.request.protocols, ["a", "b"]);
  assertEquals([it.origin, it.tls], [from.origin, from.tls]);
});

Deno.test("attack 30: a redirect to another origin drops credentials", async () => {
  for (const location of ["ws://b.test/", "wss://a.test/", "ws://a.test:81/", "ws://sub.a.test"]) {
    const it = await next(target("ws://a.test/x", FIELDS), location);
    assertEquals(it.request.headers, [["X-Custom", "yes"]]);
    assertEquals(it.request.protocols, ["a", "b"]);
    assertEquals([it.origin, it.tls], [undefined, { ca: "ca", rejectUnauthorized: true }]);
  }
});

Deno.test("attack 30: a redirect to another origin drops the credentials of the first URL", async () => {
  const from = target("ws://user:secret@a.test/");
  assertEquals(from.request.headers.length, 1);
  const it = await next(from, "ws://b.test/");
  assertEquals(it.request.headers, []);
});

Deno.test("redirect: the client uses the credentials in the Location", async () => {
  const it = await next(target("ws://a.test/"), "ws://u:p@b.test/");
  assertEquals(it.request.headers, [["Authorization", "Basic dTpw"]]);
  assertEquals(it.request.url.href, "ws://b.test/");
  const named = await next(target("ws://a.test/", FIELDS), "//u:p@a.test/");
  assertEquals(named.request.headers.filter(([name]) => name === "Authorization"), [
    ["Authorization", "Bearer secret"],
  ]);
});

Deno.test("redirect: origins differ in scheme, host or port", () => {
  assertEquals(originOf(new URL("ws://A.test:80/x")), "ws://a.test");
  assertEquals(originOf(new URL("wss://a.test:80")), "wss://a.test:80");
});

Deno.test("redirect: the client refuses one away from a Unix socket, and more than the maximum", async () => {
  const pinned = { isPinned: true };
  assertEquals(await follow("ws://a.test", "/b", undefined, pinned), "ws://a.test/b");
  const fault = "the redirect leads away from the Unix socket";
  assertEquals(await follow("ws://a.test", "ws://b.test", undefined, pinned), fault);
  assertEquals(await follow("ws://a.test", "/b", undefined, { count: 11 }), "too many redirects");
});

Deno.test("onRedirect: gets each redirect, with the request that would be sent", async () => {
  const seen: Redirect[] = [];
  const onRedirect = (redirect: Redirect): void => void seen.push(redirect);
  await next(target("ws://u:p@a.test/x?token=1", FIELDS), "ws://b.test/y", onRedirect, {
    count: 3,
  });
  const [{ response, from, to, headers, count }] = seen as [Redirect];
  assertEquals([from.href, to.href, count], ["ws://a.test/x?token=1", "ws://b.test/y", 3]);
  assertEquals([response.status, [...headers]], [302, [["x-custom", "yes"]]]);
  // The values are copies.
  assertEquals(
    await follow("ws://a.test", "/b", ({ to, headers }) => {
      to.hostname = "evil.test";
      headers.set("Authorization", "x");
    }),
    "ws://a.test/b",
  );
});

Deno.test("onRedirect: may refuse, synchronously or later", async () => {
  const refused = "onRedirect refused the redirect to ws://b.test/?token=…";
  assertEquals(await follow("ws://a.test", "ws://b.test?token=1", () => false), refused);
  const later = async (): Promise<boolean> => await Promise.resolve(false);
  assertEquals(await follow("ws://a.test", "ws://b.test?token=1", later), refused);
  assertEquals(await follow("ws://a.test", "ws://b.test", () => true), "ws://b.test/");
});

Deno.test("onRedirect: may change the target, within the rules", async () => {
  const to = (url: string | URL) => () => ({ url });
  assertEquals(await follow("ws://a.test", "/b", to("ws://c.test/d")), "ws://c.test/d");
  assertEquals(await follow("ws://a.test", "ws://b.test/x", to("y")), "ws://b.test/y");
  // A server behind a TLS terminator doesn't know that clients use wss:.
  const secure = ({ to }: Redirect) => ({ url: to.href.replace(/^ws:/, "wss:") });
  assertEquals(await follow("wss://a.test", "http://a.test/b", secure), "wss://a.test/b");
  const insecure = "the redirect leads from wss: to ws:";
  assertEquals(await follow("wss://a.test", "/b", to("ws://a.test/b")), insecure);
  assertEquals(await follow("wss://a.test", "http://a.test/b", () => {}), insecure);
  // The changed target also gets no credentials of another origin.
  const changed = await next(target("ws://a.test", FIELDS), "/b", to("ws://c.test"));
  assertEquals([changed.request.headers, changed.origin], [[["X-Custom", "yes"]], undefined]);
});

Deno.test("onRedirect: may change the header fields", async () => {
  const give = () => ({ headers: { Authorization: "Bearer other" } });
  for (const location of ["/b", "ws://b.test"]) {
    const { request } = await next(target("ws://a.test", FIELDS), location, give);
    assertEquals(request.headers, [["Authorization", "Bearer other"]]);
  }
  // The client uses the URL's user info in addition, like `connect`.
  const both = () => ({ url: "ws://u:p@c.test/x", headers: { "X-Custom": "no" } });
  const { request } = await next(target("ws://a.test", FIELDS), "/b", both);
  assertEquals([request.url.href, request.headers], ["ws://c.test/x", [
    ["X-Custom", "no"],
    ["Authorization", `Basic ${btoa("u:p")}`],
  ]]);
});

Deno.test("onRedirect: errors and invalid answers fail the attempt", async () => {
  const reason = new Error("enough");
  const fail = (): never => {
    throw reason;
  };
  assertEquals(await follow("ws://a.test", "/b", fail), "onRedirect failed: enough");
  // A thrown value that isn't an error has no text.
  const refuse = (): Promise<never> => Promise.reject("no");
  assertEquals(await follow("ws://a.test", "/b", refuse), "onRedirect failed");
  const error = await assertRejects(() => next(target("ws://a.test"), "/b", fail), ConnectError);
  assertEquals(error.cause, reason);
  const wrong: [answer: unknown, fault: string][] = [
    [null, "Cannot use the option onRedirect: it must be an object, got null"],
    ["ws://b.test", "Cannot use the option onRedirect: it must be an object, got a string"],
    [{ url: "ftp://b.test" }, "Cannot use the option onRedirect.url: it must be a ws: or wss: URL"],
    [
      { URL: "x" },
      "Cannot use the option onRedirect.URL: there is no such option, got a string. " +
      "Did you mean onRedirect.url?",
    ],
    [
      { headers: { Upgrade: "x" } },
      "Cannot use the option onRedirect.headers: the header field " +
      "Upgrade is reserved for the handshake",
    ],
  ];
  for (const [answer, fault] of wrong) {
    assertEquals(
      await follow("ws://a.test", "/b", () => answer as never),
      `onRedirect failed: ${fault}`,
    );
  }
});
