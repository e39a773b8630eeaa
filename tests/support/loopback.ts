/** Servers of `node:net` and `node:http` on loopback. */

import type { AddressInfo, Server } from "node:net";

/** Starts a server on a free port. Fulfils with the port. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** Closes a server. Fulfils when its last connection has ended, or at once if it doesn't listen. */
export function closeServer(server: { close(done: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => void server.close(() => resolve()));
}
