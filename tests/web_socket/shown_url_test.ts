import { assertEquals, assertStrictEquals } from "@std/assert";
import { shownText, shownUrl, withoutQuery } from "../../src/web_socket/shown_url.ts";

Deno.test("shown URL: it has no user info, no fragment, and only the names of the query", () => {
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

Deno.test("shown URL: an invalid URL is shown as its scheme and length", () => {
  for (
    const [text, shown] of [
      ["", "a text of 0 characters"],
      ["ws://", "ws://… (5 characters)"],
      ["/chat", "a text of 5 characters"],
      ["ws://user:secret@example.com:99999/a", "ws://… (36 characters)"],
      ["user:secret@example.com", "a text of 23 characters"],
      ["WSS://exa mple/?token=secret@", "WSS://… (29 characters)"],
      ["wss//secret.example", "a text of 19 characters"],
      ["secret://exa mple/", "a text of 18 characters"],
      ["ws://ho st/secret", "ws://… (17 characters)"],
      ["http://exa mple/#secret", "http://… (23 characters)"],
      ["a\r\nb", "a text of 4 characters"],
    ] as const
  ) assertEquals(shownText(text), shown);
  assertEquals(shownText({ toString: () => "secret" }), "an object");
  assertEquals(shownText(Symbol("secret")), "a symbol");
  assertEquals(shownText(undefined), "undefined");
});

Deno.test("shown URL: in a platform's error that quotes the URL, the values are removed", () => {
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
