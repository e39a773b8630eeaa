// Deno only: it starts programs, on the other runtimes as well

/** What a server means for its process: when all is closed nothing holds it. */

import { assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { deadline } from "@std/async";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { bundled, PATIENCE, RUNTIMES, startProgram } from "./programs.ts";
import { upgraded } from "./support.ts";
import { leftOut } from "../support/needs.ts";

const PROGRAM = "tests/server/programs/ending.ts";

/** Clients of every kind that do nothing to end their connections. */
async function stubborn(url: string): Promise<RawClient[]> {
  const server = { url };
  // It never asks; it doesn't finish to ask.
  const silent = new RawClient(url);
  const slow = new RawClient(url);
  slow.socket.write("GET / HTTP/1.1\r\nHost: local");
  // It waits for an answer; it was refused.
  const waiting = new RawClient(url);
  waiting.request("/wait");
  const refused = new RawClient(url);
  refused.request("/", ["Origin: https://evil.example"]);
  await refused.response();
  // It keeps its connection for another request.
  const kept = new RawClient(url);
  kept.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await kept.response();
  // It never answers a Close; it doesn't even read.
  const mute = await upgraded(server);
  const blocked = await upgraded(server);
  blocked.socket.pause();
  blocked.send(1, "fill");
  return [silent, slow, waiting, refused, kept, mute, blocked];
}

for (const [runtime, command] of RUNTIMES) {
  for (const way of ["drain", "acceptUpgrade", "unref"]) {
    const reason = leftOut(runtime, command !== null);
    Deno.test({
      name: `attack 47: ${way}: a server's process on ${runtime} ends by itself${reason}`,
      ignore: command === null,
      async fn() {
        const script = runtime === "Deno" ? PROGRAM : await bundled(PROGRAM);
        const program = await startProgram([...command ?? [], script, way]);
        const clients: RawClient[] = [];
        try {
          // Connections that can't be unreferenced keep the process running.
          if (way !== "unref") clients.push(...await stubborn(program.url));
          const polite = NetWebSocketChannel.connect(program.url);
          polite.sink.add("hello");
          assertEquals((await polite.stream.next()).value, "hello");
          polite.sink.add("end");
          const { code, text } = await deadline(program.ended, PATIENCE);
          assertEquals(code, 0);
          if (way === "drain") assertStringIncludes(text, "closed\n");
          assertEquals((await polite.closed).code, way === "unref" ? 1006 : 1012);
        } finally {
          await program.stop("SIGKILL");
          for (const client of clients) await client.destroy();
        }
      },
    });
  }
}

for (const [runtime, command] of RUNTIMES) {
  for (const fault of ["listener", "upgraded"]) {
    if (fault === "upgraded" && runtime !== "Bun") continue;
    const reason = leftOut(runtime, command !== null);
    const what = fault === "listener"
      ? "a listener's exception is uncaught"
      : "what a handler of Bun.serve throws behind the upgrade is";
    Deno.test({
      name: `${what}, and ends the process: ${runtime}${reason}`,
      ignore: command === null,
      async fn() {
        const path = "tests/server/programs/faulty.ts";
        const script = runtime === "Deno" ? path : await bundled(path);
        const program = await startProgram([...command ?? [], script, fault]);
        try {
          const client = NetWebSocketChannel.connect(program.url);
          client.sink.add("no JSON");
          assertNotEquals((await deadline(program.ended, PATIENCE)).code, 0);
          assertEquals((await client.closed).wasClean, false);
        } finally {
          await program.stop("SIGKILL");
        }
      },
    });
  }
}
