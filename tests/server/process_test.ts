// Deno only: starts programs on all runtimes

/** A server's process: when everything is closed, nothing keeps the process alive. */

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
  // The client never sends a request, or only a part of one.
  const silent = new RawClient(url);
  const slow = new RawClient(url);
  slow.socket.write("GET / HTTP/1.1\r\nHost: local");
  // The client waits for an answer, or was refused.
  const waiting = new RawClient(url);
  waiting.request("/wait");
  const refused = new RawClient(url);
  refused.request("/", ["Origin: https://evil.example"]);
  await refused.response();
  // The client keeps its connection for another request.
  const kept = new RawClient(url);
  kept.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await kept.response();
  // The client never answers a Close, or doesn't read at all.
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
      : "an exception of a Bun.serve handler after the upgrade is uncaught";
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
