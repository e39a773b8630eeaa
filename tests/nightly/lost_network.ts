// Deno only: it starts programs, on the other runtimes as well

/**
 * The network fails: no packet, no FIN, no RST arrives. Pings end both ends of every connection, and the
 * server continues when the network is back. The test runs in a network namespace and disables its loopback interface:
 * `.ci/nightly` runs it there.
 */

import { assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { serverRuntimes, startServer, tcpStates } from "./support.ts";
import { leftOut } from "../support/needs.ts";

/** How many connections there are. */
const COUNT = 200;

/** The machine's own loopback interface must not go down. */
const isApart = Deno.env.get("NETWORK_NAMESPACE") === "own";

async function setLoopback(state: "up" | "down"): Promise<void> {
  const { success } = await new Deno.Command("ip", { args: ["link", "set", "lo", state] }).output();
  assertEquals(success, true, `ip link set lo ${state}`);
}

const pings = { pingInterval: 500, pingTimeout: 500 };

for (const [name, command] of await serverRuntimes()) {
  const reason = command === null
    ? leftOut(name, false)
    : isApart
    ? ""
    : " (left out: not in a network namespace of its own)";
  Deno.test({
    name: `a network that goes away, on ${name}: both ends notice, and the server goes on${reason}`,
    ignore: reason !== "",
    async fn() {
      const server = await startServer(name, command ?? [], pings);
      try {
        const before = await server.figures();
        const clients = Array.from(
          { length: COUNT },
          () => NetWebSocketChannel.connect(server.url, pings),
        );
        await Promise.all(clients.map((it) => it.ready));
        // After several pings all are still open.
        await delay(2000);
        assertEquals((await server.figures()).open, COUNT);
        await setLoopback("down");
        const start = performance.now();
        const endings = await Promise.all(clients.map((it) => it.closed));
        for (const { code, initiator } of endings) {
          assertEquals([code, initiator], [1006, "timeout"]);
        }
        await server.until(
          (it) => it.ended === COUNT && it.files <= before.files + 8,
          "the server has given all up",
        );
        console.log(
          `${name}: ${COUNT} connections given up in ${Math.round(performance.now() - start)} ms`,
        );
        await setLoopback("up");
        const again = NetWebSocketChannel.connect(server.url);
        await again.ready;
        again.sink.add("hello");
        assertEquals((await again.stream.next()).value, "hello");
        await again.sink.close();
        assertEquals(tcpStates(server.port)["CLOSE-WAIT"] ?? 0, 0);
      } finally {
        await setLoopback("up");
        await server.stop();
      }
    },
  });
}
