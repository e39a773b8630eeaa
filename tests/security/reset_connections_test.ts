/** Attacks with connections that the client resets before the server has accepted them. */

import { assertEquals } from "@std/assert";
import { execFileSync } from "node:child_process";
import { bind } from "../../src/server/web_socket_server.ts";
import { createIdentity } from "../support/certificates.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { findCommand } from "../support/processes.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { leftOut } from "../support/needs.ts";

const NODE = findCommand([["node"]]);

/** Opens the given number of connections, then resets each one. */
const RESETTER = `
  const { connect } = require("node:net");
  const [port, count] = process.argv.slice(1).map(Number);
  const sockets = [];
  let connected = 0;
  for (let i = 0; i < count; i++) {
    const socket = connect(port, "127.0.0.1", () => {
      if (++connected === count) sockets.forEach((it) => it.resetAndDestroy());
    });
    sockets.push(socket);
  }
`;

for (const scheme of ["ws", "wss"] as const) {
  Deno.test({
    name: `attack 53: connections that are reset before ${scheme} accepts them leave no timer${
      leftOut("Node", NODE !== null)
    }`,
    ignore: NODE === null,
    async fn() {
      const clock = new ManualClock();
      const tls = scheme === "wss" ? createIdentity() : undefined;
      const server = await bind({ handshakeTimeout: 5000, tls }, clock);
      try {
        const [program = "", ...args] = NODE ?? [];
        // The program blocks this process, so the system queues the connections.
        execFileSync(program, [...args, "-e", RESETTER, String(server.address.port), "50"]);
        // The system delivers connections in order: when this one is accepted, all earlier ones are.
        const url = server.url.replace("wss:", "ws:");
        const client = new RawClient(url);
        client.request();
        await (tls === undefined ? client.response() : client.end());
        await client.destroy();
      } finally {
        await server.close();
      }
      assertEquals(clock.pending, 0);
    },
  });
}
