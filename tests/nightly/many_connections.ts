// Deno only: it starts programs, on the other runtimes as well

/** As many connections as this machine allows a process: the server serves all, and releases everything. */

import { assert, assertEquals } from "@std/assert";
import {
  fileLimit,
  requestFor,
  type Server,
  serverRuntimes,
  startServer,
  statusOf,
  tcpStates,
} from "./support.ts";
import { leftOut } from "../support/needs.ts";

/** Files that a process needs beside its connections. */
const RESERVE = 300;
/** How many connections begin at the same time. */
const BATCH = 200;

const LIMIT = await fileLimit();
const COUNT = Math.min(LIMIT - RESERVE, 27_000);

/** A text "hello", masked with zeros, and its echo. */
const HELLO = Uint8Array.of(0x81, 0x85, 0, 0, 0, 0, 0x68, 0x65, 0x6c, 0x6c, 0x6f);
const ECHO = "129,5,104,101,108,108,111";

async function upgraded({ port }: Server): Promise<Deno.Conn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(requestFor());
  assertEquals(await statusOf(conn), 101);
  return conn;
}

async function echoes(conn: Deno.Conn): Promise<void> {
  await conn.write(HELLO);
  const bytes = new Uint8Array(7);
  for (let got = 0; got < 7;) got += await conn.read(bytes.subarray(got)) ?? 7;
  assertEquals(bytes.join(), ECHO);
}

for (const [name, command] of await serverRuntimes()) {
  const reason = leftOut(name, command !== null);
  Deno.test({
    name: `many connections on ${name}: ${COUNT}, of ${LIMIT} files${reason}`,
    ignore: command === null,
    async fn() {
      const server = await startServer(name, command ?? [], { pingInterval: 0 });
      const conns: Deno.Conn[] = [];
      try {
        const before = await server.figures();
        const start = performance.now();
        while (conns.length < COUNT) {
          const count = Math.min(BATCH, COUNT - conns.length);
          conns.push(...await Promise.all(Array.from({ length: count }, () => upgraded(server))));
        }
        const seconds = (performance.now() - start) / 1000;
        const full = await server.figures();
        assertEquals([full.open, full.connecting, full.silent, full.dropped], [COUNT, 0, 0, 0]);
        assertEquals(tcpStates(server.port)["ESTABLISHED"], COUNT);
        for (let i = 0; i < COUNT; i += 97) await echoes(conns[i] as Deno.Conn);
        const each = (full.rss - before.rss) / COUNT;
        for (const conn of conns) conn.close();
        const after = await server.until((it) => it.ended === COUNT, "all channels have ended");
        assertEquals(after.open, 0);
        // Deno closes files later, in threads.
        await server.until((it) => it.files <= before.files + 8, "their files are closed");
        const { LISTEN, "TIME-WAIT": _, ...left } = tcpStates(server.port);
        assertEquals([LISTEN, left], [1, {}]);
        conns.splice(0);
        conns.push(await upgraded(server));
        await echoes(conns[0] as Deno.Conn);
        console.log(
          `${name}: ${COUNT} connections in ${seconds.toFixed(1)} s, ${each.toFixed(1)} KiB each`,
        );
        assert(each < 100, `${each} KiB a connection`);
      } finally {
        for (const conn of conns) {
          try {
            conn.close();
          } catch {
            // It was closed above.
          }
        }
        await server.stop();
      }
    },
  });
}
