/** Plain requests whose client disconnects, and servers that close while requests and channels are open. */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { RawClient } from "../support/recipe_clients.ts";
import { opcodes } from "../support/frames.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { upgraded, withServer } from "./support.ts";
import { until } from "../support/turns.ts";
import { deferred } from "../support/promises.ts";

const GET = "GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n";

const LEAVING = ["end", "destroy", "resetAndDestroy"] as const;

for (const leave of LEAVING) {
  Deno.test(`the server cancels an idle streaming response and aborts the signal when the client disconnects: ${leave}`, async () => {
    await assertNoUncaught(async () => {
      const cancelled = deferred();
      const aborted = deferred();
      let reason: unknown;
      const onRequest = (request: Request): Response => {
        request.signal.addEventListener("abort", () => aborted.resolve());
        return new Response(
          new ReadableStream<Uint8Array>({
            start: (controller) => controller.enqueue(new TextEncoder().encode("first")),
            // Afterwards the stream sends nothing more.
            cancel(why) {
              reason = why;
              cancelled.resolve();
            },
          }),
        );
      };
      const errors: unknown[] = [];
      await withServer({ onRequest, onError: (error) => errors.push(error) }, async (server) => {
        const client = new RawClient(server.url);
        client.socket.write(GET);
        await client.hex(5);
        client.socket[leave]();
        await Promise.all([cancelled.promise, aborted.promise]);
        await client.destroy();
      });
      assertEquals([(reason as Error).name, errors], ["AbortError", []]);
    });
  });

  Deno.test(`the server aborts the signal and cancels a late answer when the client disconnects first: ${leave}`, async () => {
    await assertNoUncaught(async () => {
      const asked = deferred();
      const cancelled = deferred();
      const onRequest = async ({ signal }: Request): Promise<Response> => {
        asked.resolve();
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        return new Response(new ReadableStream({ cancel: () => cancelled.resolve() }));
      };
      await withServer({ onRequest }, async (server) => {
        const client = new RawClient(server.url);
        client.socket.write(GET);
        await asked.promise;
        client.socket[leave]();
        await cancelled.promise;
        await client.destroy();
      });
    });
  });
}

Deno.test("the signal doesn't abort after a complete response, even when the connection ends later", async () => {
  const signals: AbortSignal[] = [];
  const onRequest = ({ signal }: Request): Response => {
    signals.push(signal);
    return new Response("page");
  };
  await withServer({ onRequest }, async (server) => {
    const client = new RawClient(server.url);
    for (let i = 1; i <= 3; i++) {
      client.socket.write(GET);
      while (client.bytes.toString("latin1").split("page").length <= i) {
        await new Promise<void>((resolve) => client.socket.once("data", () => resolve()));
      }
    }
    await client.destroy();
  });
  assertEquals(signals.map(({ aborted }) => aborted), [false, false, false]);
});

Deno.test("closing: channels close with a closing handshake beside idle and busy connections", async () => {
  const answer = deferred();
  const onRequest = async (request: Request): Promise<Response> => {
    if (request.url.endsWith("/slow")) await answer.promise;
    return new Response("page");
  };
  await withServer({ onRequest }, async (server) => {
    const clients = [await upgraded(server), await upgraded(server)];
    const idle = new RawClient(server.url);
    idle.socket.write(GET);
    await idle.response();
    await idle.hex(4);
    const busy = new RawClient(server.url);
    busy.socket.write(GET.replace("/page", "/slow"));
    // An upgrade behind a page's request, on a connection that the server already knows.
    const both = new RawClient(server.url);
    both.socket.write(GET);
    await both.hex(4);
    both.request();
    await until(() => server.channels.size >= 3);
    const closing = server.close({ drainTimeout: 5000 });
    await idle.end();
    for (const client of clients) {
      assertEquals(await client.hex(4), "880203e9");
      client.send(opcodes.close, Uint8Array.of(3, 233));
      await client.end();
      await client.destroy();
    }
    assert(!busy.hasEnded);
    answer.resolve();
    await busy.end();
    assert(busy.bytes.toString("latin1").includes("page"));
    both.send(opcodes.close, Uint8Array.of(3, 233));
    await both.end();
    assert(both.bytes.toString("hex").endsWith("880203e9"));
    for (const client of [idle, busy, both]) await client.destroy();
    await closing;
  });
});

Deno.test("closing: the server refuses an upgrade whose verify is pending, and doesn't cut it off", async () => {
  const never = (): Promise<boolean> => new Promise(() => {});
  await withServer({ verify: never }, async (server) => {
    const client = new RawClient(server.url);
    client.request();
    // Another request shows that the first has arrived: the server answers in the order of arrival.
    const other = new RawClient(server.url);
    other.socket.write(GET);
    await other.end();
    await other.destroy();
    for (let i = 0; i < 5; i++) await delay(0);
    const closing = server.close({ drainTimeout: 1000 });
    assertEquals((await client.response()).split(" ")[1], "503");
    await client.destroy();
    await closing;
  });
});
