/** Floods against a server with `acceptStreams`: a client ends its own session, and no other. http2_attacks_test.ts has more attacks. */

import { assert, assertEquals } from "@std/assert";
import { type ClientHttp2Session, connect } from "node:http2";
import type { WebSocketChannel } from "../../src/net/mod.ts";
import { destroyLater } from "../../src/net/http2.ts";
import { open, withEcho, withPool } from "../http2/support.ts";

const REQUEST = {
  ":method": "CONNECT",
  ":protocol": "websocket",
  ":scheme": "http",
  ":path": "/",
  ":authority": "localhost",
  "sec-websocket-version": "13",
};

/** Lets a client attack until its session has ended; another client's channel keeps working. */
async function assertEnds(act: (session: ClientHttp2Session) => void): Promise<void> {
  await withEcho({}, async ({ url }) => {
    await withPool(async (pool) => {
      const other: WebSocketChannel = await open(url, { pool });
      const session = connect(url.replace("ws:", "http:"));
      destroyLater(session as unknown as Parameters<typeof destroyLater>[0]);
      session.on("error", () => {});
      const closed = new Promise<void>((resolve) => session.on("close", resolve));
      await new Promise((resolve) => session.once("remoteSettings", resolve));
      act(session);
      await closed;
      other.sink.add("still here");
      assertEquals((await other.stream.next()).value, "still here");
    });
  });
}

// It continues after each acknowledgement: runtimes limit a client's own pending PINGs.
Deno.test("attack 81: a flood of PING, with acceptStreams", async () => {
  await assertEnds((session) => {
    const more = (): void => {
      if (!session.destroyed) session.ping((error) => error === null && more());
    };
    more();
  });
});

Deno.test("attack 81: a head that is too large harms its stream or session only", async () => {
  await withEcho({}, async ({ url }) => {
    await withPool(async (pool) => {
      const other = await open(url, { pool });
      const session = connect(url.replace("ws:", "http:"));
      session.on("error", () => {});
      await new Promise((resolve) => session.once("remoteSettings", resolve));
      const outcome = await new Promise((resolve) => {
        const fields = Object.fromEntries(
          Array.from({ length: 100 }, (_, i) => [`x-${i}`, "a".repeat(1_000)]),
        );
        const stream = session.request({ ...REQUEST, ...fields }, { endStream: false });
        stream.on("error", () => resolve("refused"));
        stream.on("response", (head) => resolve(head[":status"]));
        stream.on("close", () => resolve("refused"));
      });
      assert(outcome === "refused" || Number(outcome) >= 400, String(outcome));
      session.destroy();
      other.sink.add("still here");
      assertEquals((await other.stream.next()).value, "still here");
    });
  });
});
