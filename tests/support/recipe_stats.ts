/** Waits for a recipe's server by its numbers. */

import type { RecipeServer, RecipeStats } from "./recipes.ts";

/**
 * The server's numbers, once they have stayed the same over this
 * many requests: all bytes in flight have arrived, or backpressure holds them. For servers in the
 * test's own process, where a reading client would have read meanwhile.
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
