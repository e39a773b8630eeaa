/** What `deno task wake_up` prints: how long it took after a wake-up until there was another connection. */
export function printTime(what: string, ms: number): void {
  if (Deno.env.has("TEST_TIMES")) console.log(`${what}: ${(ms / 1000).toFixed(2)} s`);
}
