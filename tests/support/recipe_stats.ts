/** Waiting for a recipe's server, by its numbers. */

import type { RecipeServer, RecipeStats } from "./recipes.ts";

/**
 * The server's numbers once no byte has moved in either direction while it was asked for them so
 * many times: whatever was in flight has arrived, or backpressure holds it. For servers in the
 * test's own process, where a client that reads would have read meanwhile.
 */
export async function statsWhenIdle(server: RecipeServer, times = 30): Promise<RecipeStats> {
  let stats = await server.stats();
  for (let same = 0; same < times; same++) {
    const next = await server.stats();
    if (next.bytesSent !== stats.bytesSent || next.bytesReceived !== stats.bytesReceived) same = -1;
    stats = next;
  }
  return stats;
}
