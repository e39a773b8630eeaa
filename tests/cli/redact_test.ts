import { assertEquals, assertFalse } from "@std/assert";
import { REDACTED, redactField, redactTarget, redactText } from "../../src/cli/redact.ts";

Deno.test("W29 redact: removes secrets of header fields, queries and messages by name and form", () => {
  for (const name of ["Authorization", "cookie", "Set-Cookie", "X-Api-Key", "x-auth-token"]) {
    assertEquals([name, redactField(name, "hunter2")], [name, REDACTED]);
  }
  assertEquals(redactField("User-Agent", "a/1"), "a/1");
  assertEquals(redactField("X-Note", "Bearer abcdefgh1234"), `Bearer ${REDACTED}`);
  assertEquals(redactTarget("/a?b=c&d=&e"), `/a?b=${REDACTED}&d=${REDACTED}&${REDACTED}`);
  assertEquals(redactTarget("/a?secret"), `/a?${REDACTED}`);
  assertEquals(redactTarget("/a#token=b;c=d"), `/a#token=${REDACTED};c=${REDACTED}`);
  for (const target of ["/a", "/a?", "/a/b;c=d"]) assertEquals(redactTarget(target), target);
  const message = {
    user: "ann",
    password: "hunter2",
    nested: [{ accessToken: "hunter2", n: 1 }],
    private_key: { d: "hunter2" },
    token: null,
    isToken: true,
  };
  const redacted = redactText(JSON.stringify(message));
  assertFalse(redacted.includes("hunter2"));
  assertEquals(JSON.parse(redacted).user, "ann");
  assertEquals(JSON.parse(redacted).nested[0].n, 1);
  // A text without a secret stays the same, including its spaces.
  for (const text of ['{ "a": 1 }', "hello", "[1, 2]", "{ no JSON", '{"__proto__": 1}']) {
    assertEquals(redactText(text), text);
  }
  for (
    const [text, expected] of [
      ["user=ann&password=hunter2&n=1", `user=ann&password=${REDACTED}&n=1`],
      ["CONNECT\npasscode:hunter2\nhost:a", `CONNECT\npasscode:${REDACTED}\nhost:a`],
      ['42["auth",{"token":"hun\\"ter2","n":1}]', `42["auth",{"token":${REDACTED},"n":1}]`],
      ["{ api_key: 'hunter2' }", `{ api_key: ${REDACTED} }`],
      ["the token of the ring", "the token of the ring"],
      ["pwd=hunter2", `pwd=${REDACTED}`],
      ["bearer hunter2hunter2", `bearer ${REDACTED}`],
      ['{"data":"{\\"token\\":\\"hunter2\\"}"}', `{"data":"{\\"token\\":\\"${REDACTED}\\"}"}`],
      ['["a","key: 1, secret: hunter2"]', `["a","key: 1, secret: ${REDACTED}"]`],
    ] as const
  ) assertEquals(redactText(text), expected);
  const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
  assertEquals(redactText(`login ${jwt}`), `login ${REDACTED}`);
});

Deno.test("W29 redact: URLs in header fields have no user info and no values of a query", () => {
  const url = "https://me:pass@host/path?key=abc&page=2";
  for (const name of ["Location", "content-location", "Referer"]) {
    assertEquals(
      redactField(name, url),
      "https://[redacted]@host/path?key=[redacted]&page=[redacted]",
    );
  }
  assertEquals(redactField("Location", "/login"), "/login");
});

Deno.test("W29 redact: takes time in proportion to the text, so that a peer can't stall a tap", () => {
  // In quadratic time, the first, second and fourth text would take half a minute each.
  for (const part of ["token", "passwd-", "token ", "eyJabcd-", "eyJabcd.eyJabcd-", 'token=\\"']) {
    const text = part.repeat(200_000 / part.length);
    assertEquals(typeof redactText(text), "string");
    assertEquals(typeof redactText(JSON.stringify([text])), "string");
  }
});
