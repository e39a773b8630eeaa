/** Invalid answers of `onRequest`: the client gets 500, and `onError` gets an error with the reason. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { BindOptions } from "../../src/server/mod.ts";
import { withServer } from "../server/support.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { assertNoUncaught } from "../support/unhandled.ts";

type Answer = () => unknown;

async function read(): Promise<Response> {
  const response = new Response("read");
  await response.text();
  return response;
}

function locked(): Response {
  const response = new Response("locked");
  response.body?.getReader();
  return response;
}

const MISTAKES: readonly (readonly [name: string, answer: Answer, reason: string])[] = [
  ["nothing", () => undefined, "got undefined"],
  ["null", () => null, "got null"],
  ["a text", () => "hello", "got a string"],
  ["an object", () => ({ status: 200 }), "got an object"],
  ["a request", () => new Request("http://localhost"), "got a Request"],
  ["an error response", () => Response.error(), "status"],
  ["a body that was read", read, "already used"],
  ["a body that is locked", locked, "already used"],
];

for (const [name, mistake, reason] of MISTAKES) {
  for (const method of ["GET", "HEAD"]) {
    Deno.test(`attack 49: onRequest answers ${method} with ${name}: 500, and onError gets the reason`, async () => {
      const errors: unknown[] = [];
      const onError: BindOptions["onError"] = (error, { where }) => errors.push([where, error]);
      for (const answer of [mistake, async () => await mistake()]) {
        const options = { onRequest: answer, onError } as BindOptions;
        await assertNoUncaught(() =>
          withServer(options, async ({ url }) => {
            const client = new RawClient(url);
            client.socket.write(
              `${method} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
            );
            assertStringIncludes(await client.response(), "HTTP/1.1 500 ");
            await client.destroy();
          })
        );
        const [[where, error]] = errors.splice(0) as [[string, TypeError]];
        assertEquals([where, error instanceof TypeError], ["onRequest", true]);
        assertStringIncludes(error.message, "Cannot use the answer of onRequest: ");
        assertStringIncludes(error.message, reason);
      }
    });
  }
}
