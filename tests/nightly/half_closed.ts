// Deno only: it starts programs, on the other runtimes as well

/** Many peers that close only their half, in each phase: no connection stays in CLOSE-WAIT. */

import { assertEquals } from "@std/assert";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { listen } from "../support/loopback.ts";
import { until } from "../support/turns.ts";
import {
  requestFor,
  type Server,
  serverRuntimes,
  startServer,
  statusOf,
  tcpStates,
} from "./support.ts";
import { leftOut } from "../support/needs.ts";

/** How many connections each phase has. */
const COUNT = 500;

/** A Close frame with 1000, masked with zeros. */
const CLOSE = Uint8Array.of(0x88, 0x82, 0, 0, 0, 0, 3, 232);

type Phase = (conn: Deno.Conn) => Promise<unknown>;

async function upgrade(conn: Deno.Conn, path = "/"): Promise<void> {
  await conn.write(requestFor(path));
  assertEquals(await statusOf(conn), 101);
}

/** What a client does before it closes its half and waits. */
const PHASES: Readonly<Record<string, Phase>> = {
  "before a byte": () => Promise.resolve(),
  "in the middle of the request": (conn) => conn.write(requestFor().subarray(0, 30)),
  "behind the request": (conn) => conn.write(requestFor()),
  "while verify decides": (conn) => conn.write(requestFor("/slow")),
  "behind a request that is refused": (conn) => conn.write(requestFor("/refused")),
  "behind the 101": upgrade,
  "in the middle of a frame": async (conn) => {
    await upgrade(conn);
    await conn.write(Uint8Array.of(0x81, 0xff, 0, 0));
  },
  "behind its Close": async (conn) => {
    await upgrade(conn);
    await conn.write(CLOSE);
  },
  "with 4 MB that it doesn't read": (conn) => upgrade(conn, "/large"),
};

async function connections(
  { port }: Server,
  act: Phase,
): Promise<Deno.TcpConn[]> {
  const conns: Deno.TcpConn[] = [];
  for (let i = 0; i < COUNT; i += 50) {
    const batch = Array.from({ length: 50 }, async () => {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      conns.push(conn);
      await act(conn);
      await conn.closeWrite();
    });
    await Promise.all(batch);
  }
  return conns;
}

/** Whether this process has a network of its own. */
const isOwn = Deno.env.get("NETWORK_NAMESPACE") === "own";

const SYSCTL = "/proc/sys/net/ipv4/tcp_rto_max_ms";
const missing = !isOwn
  ? "it needs a network namespace of its own"
  : existsSync(SYSCTL)
  ? null
  : "it needs Linux 6.15";

Deno.test({
  name: `peers that read nothing: tcp_rto_max_ms bounds how long the system keeps them${
    missing === null ? "" : ` (left out: ${missing})`
  }`,
  ignore: missing !== null,
  async fn() {
    const before = await Deno.readTextFile(SYSCTL);
    await Deno.writeTextFile(SYSCTL, "5000");
    // A bare server: the connections that it leaves are the system's.
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.write(new Uint8Array(64 * 1024 * 1024));
      setTimeout(() => socket.destroy(), 500);
    });
    const port = await listen(server);
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    try {
      const isLeft = (): boolean => tcpStates(port)["FIN-WAIT-1"] === 1;
      await until(isLeft);
      const start = performance.now();
      await until(() => !isLeft());
      console.log(`forgotten within ${Math.round(performance.now() - start)} ms`);
    } finally {
      await Deno.writeTextFile(SYSCTL, before);
      conn.close();
      server.close();
    }
  },
});

for (const [name, command] of await serverRuntimes()) {
  const reason = leftOut(name, command !== null);
  Deno.test({
    name: `half-closed peers on ${name}: ${COUNT} in each phase leave no CLOSE-WAIT${reason}`,
    ignore: command === null,
    async fn() {
      const options = { closeTimeout: 500, handshakeTimeout: 2000, pingInterval: 0 };
      const server = await startServer(name, command ?? [], options);
      let conns: Deno.Conn[] = [];
      try {
        const before = await server.figures();
        for (const [phase, act] of Object.entries(PHASES)) {
          conns = await connections(server, act);
          const start = performance.now();
          // The peers' halves are still open: the server itself has released its connections.
          await server.until(
            (it) =>
              it.open + it.connecting + it.silent === 0 && it.files <= before.files + 8 &&
              (tcpStates(server.port)["CLOSE-WAIT"] ?? 0) === 0,
            `nothing is left of peers that closed their half ${phase}`,
          );
          const ms = Math.round(performance.now() - start);
          const { LISTEN: _, "TIME-WAIT": __, ...states } = tcpStates(server.port);
          console.log(`${name}: ${phase}: ${ms} ms, then ${JSON.stringify(states)}`);
          for (const conn of conns.splice(0)) conn.close();
        }
        conns = await connections(server, upgrade);
      } finally {
        for (const conn of conns) conn.close();
        await server.stop();
      }
    },
  });
}
