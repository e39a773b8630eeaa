import { assertEquals, assertStrictEquals } from "@std/assert";
import { shownText, shownUrl, withoutQuery } from "../../src/web_socket/shown_url.ts";

Deno.test("shown URL: no user info, no fragment, and of the query only the names", () => {
  for (
    const [url, shown] of [
      ["ws://example.com", "ws://example.com/"],
      ["wss://user:secret@example.com:8443/a@b/c", "wss://example.com:8443/a@b/c"],
      ["wss://secret@example.com/", "wss://example.com/"],
      ["wss://example.com/a?", "wss://example.com/a"],
      ["wss://example.com/a?token=secret", "wss://example.com/a?token=…"],
      ["wss://example.com/a?token=sec=ret&v=2&", "wss://example.com/a?token=…&v=…&"],
      ["wss://example.com/a?secret", "wss://example.com/a?…"],
      ["wss://example.com/a?secret&b=&=secret", "wss://example.com/a?…&…&=…"],
      ["wss://example.com/a?a=secret?b=secret&secret", "wss://example.com/a?a=…&…"],
      ["wss://example.com/a?secret?b=secret", "wss://example.com/a?secret?b=…"],
      ["wss://example.com/a?c2VjcmV0==&d==", "wss://example.com/a?…&…"],
      ["wss://example.com/a?a==secret", "wss://example.com/a?a=…"],
      ["ws://[::1]:80/#secret", "ws://[::1]/"],
    ] as const
  ) assertEquals(shownUrl(new URL(url)), shown);
});

Deno.test("shown URL: of what is no URL, no more than the part before any secret", () => {
  for (
    const [text, shown] of [
      ["", ""],
      ["ws://", "ws://"],
      ["/chat", "/chat"],
      ["ws://user:secret@example.com:99999/a", "ws://…"],
      ["user:secret@example.com", "…"],
      ["ws://user:se?cret@example.com/#a", "ws://…"],
      ["ws://exa mple/?token=secret@", "ws://…"],
      ["ws://exa mple/?token=secret", "ws://exa mple/…"],
      ["exa mple/#secret", "exa mple/…"],
      ["a\r\nb", "a��b"],
    ] as const
  ) assertEquals(shownText(text), shown);
  assertEquals(shownText("x".repeat(1e6)), `${"x".repeat(100)}…`);
});

Deno.test("shown URL: a platform's error that quotes the URL becomes one without the values", () => {
  const url = new URL("ws://a.test/?token=secret&secret");
  assertEquals(withoutQuery(`'${url}' failed: no`, url), "'ws://a.test/?token=…&…' failed: no");
  const quoting = new TypeError(`'${url}' failed`);
  const { message, name, stack, cause } = withoutQuery(quoting, url) as Error;
  assertEquals([message, name, cause], ["'ws://a.test/?token=…&…' failed", "TypeError", undefined]);
  assertEquals(String(stack).includes("secret"), false);
  for (const other of [undefined, null, 5, "no", new Error("no"), {}]) {
    assertStrictEquals(withoutQuery(other, url), other);
  }
  assertStrictEquals(withoutQuery(quoting, new URL("ws://a.test/?")), quoting);
});
