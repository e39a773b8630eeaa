/** Attack 49: the server checks the whole answer of `verify` before it writes anything. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { ServerOptions } from "../../src/server/mod.ts";
import { testEntries } from "../server/entries.ts";
import { requestText } from "../server/support.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { assertNoUncaught } from "../support/unhandled.ts";

/** Answers that are no refusal, and the word that the error must contain. */
const MISTAKES: readonly (readonly [answer: () => unknown, word: string])[] = [
  [() => new Response("no", { status: 401 }), "a Response"],
  [() => ({ status: 403, body: null }), "body"],
  [() => ({ status: 403, body: 5 }), "body"],
  [() => ({ status: 403, body: { error: "no" } }), "body"],
  [() => ({ status: 403, body: new Uint8Array(3) }), "body"],
  [() => ({ status: 403, statusText: {} }), "statusText"],
  [() => ({ status: 403, statusText: 5 }), "statusText"],
  [() => ({ status: 403, statusText: null }), "statusText"],
  [() => ({ status: 403, statusText: "a\r\nb" }), "statusText"],
  [() => ({ status: "403" }), "status"],
  [() => ({ status: 200 }), "status"],
  [() => ({ body: "no" }), "status"],
  [() => ({ status: 403, headers: null }), "headers"],
  [() => ({ status: 403, headers: { a: 5 } }), "headers"],
  [() => ({ status: 403, bodyText: "no" }), "bodyText"],
  [() => new Date(), "a Date"],
  [() => [], "an array"],
  [() => "yes", "verify"],
];

testEntries("attack 49: an answer of verify that is no refusal causes a 500", async (entry) => {
  for (const [mistake, word] of MISTAKES) {
    for (const answer of [mistake, () => Promise.resolve(mistake())]) {
      const reports: [where: string, error: unknown][] = [];
      const options = {
        verify: answer,
        onError: (error: unknown, { where }: { where: string }) => reports.push([where, error]),
      } as unknown as ServerOptions;
      let head = "";
      await assertNoUncaught(async () => {
        await entry.run(options, async ({ url }) => {
          const client = new RawClient(url);
          client.socket.write(requestText());
          head = await client.response();
          await client.destroy();
        });
      });
      const name = `${mistake}: ${head}`;
      assertStringIncludes(head, " 500 Internal Server Error", name);
      assertEquals(reports.map(([where]) => where), ["verify"], name);
      const error = reports[0]?.[1];
      assertEquals(error instanceof TypeError || error instanceof RangeError, true, name);
      const { message } = error as Error;
      assertStringIncludes(message, word, name);
    }
  }
});

testEntries("the server sends a refusal of verify unchanged", async (entry) => {
  const options: ServerOptions = {
    verify: () => ({
      status: 401,
      statusText: "Who Are You",
      headers: new Headers({ "WWW-Authenticate": "Basic" }),
      body: "Tell me\n",
    }),
  };
  await entry.run(options, async ({ url }) => {
    const client = new RawClient(url);
    client.socket.write(requestText());
    const head = await client.response();
    assertStringIncludes(head, " 401 ");
    // Deno.serve and Bun.serve send the standard reason phrase of a status.
    // HTTP/2 has no reason phrase.
    if (entry.isOwn && entry.name !== "acceptStreams") assertStringIncludes(head, " Who Are You");
    assertStringIncludes(head.toLowerCase(), "www-authenticate: basic");
    await client.end();
    assertStringIncludes(client.body.toString(), "Tell me\n");
    await client.destroy();
  });
});
