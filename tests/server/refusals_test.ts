import { assertEquals, assertThrows } from "@std/assert";
import { refuse } from "../../src/handshake/server_handshake.ts";
import { contextIn, hasContext, refusalOf, refusalResponse } from "../../src/server/refusals.ts";

Deno.test("a refusal by verify keeps its status, reason phrase, headers and body", () => {
  const { status, statusText, headers, body } = refusalOf({
    status: 503,
    statusText: "Later",
    headers: { "Retry-After": "1" },
    body: "come back",
  });
  assertEquals([status, statusText, body], [503, "Later", "come back"]);
  assertEquals(headers.find(([name]) => name === "Retry-After")?.[1], "1");
});

Deno.test("the error of an invalid answer names verify and the valid answers", () => {
  const answers: [answer: unknown, text: string][] = [
    [
      "yes",
      "it must be true, false, { context } or a refusal such as { status: 403 }, got a string",
    ],
    [
      undefined,
      "it must be true, false, { context } or a refusal such as { status: 403 }, got undefined",
    ],
    [1, "it must be true, false, { context } or a refusal such as { status: 403 }, got 1"],
    [
      () => true,
      "it must be true, false, { context } or a refusal such as { status: 403 }, got a function",
    ],
    ...[{}, { name: "guest" }, { status: undefined }].map((answer): [unknown, string] => [
      answer,
      "it must be true, false, { context } or a refusal such as { status: 403 }, got an object",
    ]),
  ];
  for (const [answer, text] of answers) {
    const error = assertThrows(() => refusalOf(answer), TypeError);
    assertEquals(error.message, `Cannot use the answer of verify: ${text}`);
  }
  assertThrows(() => refusalOf({ status: 200 }), RangeError, "200");
  assertThrows(
    () => refusalOf({ status: "403" }),
    TypeError,
    'Cannot use the option verify().status: it must be a number, got "403"',
  );
});

Deno.test("a refusal becomes a fetch Response", async () => {
  const response = refusalResponse(refuse(401, { headers: [["WWW-Authenticate", "Basic"]] }));
  assertEquals([response.status, response.statusText], [401, "Unauthorized"]);
  assertEquals(response.headers.get("www-authenticate"), "Basic");
  assertEquals(await response.text(), "Unauthorized\n");
});

Deno.test("a context is alone if other members are undefined or inherited from Object", () => {
  const all = Object.prototype as { ofEverything?: number };
  all.ofEverything = 1;
  try {
    for (const rest of [{}, { status: undefined, body: undefined }]) {
      const answer = { context: 7, ...rest };
      assertEquals([hasContext(answer), contextIn(answer)], [true, 7]);
    }
    assertThrows(() => contextIn({ context: 7, ofEverything: 2 }), TypeError, "no other members");
  } finally {
    delete all.ofEverything;
  }
});
