/** The output of `deno task wake_up`: the time from a wake-up to the next connection. */
export function printTime(what: string, ms: number): void {
  if (Deno.env.has("TEST_TIMES")) console.log(`${what}: ${(ms / 1000).toFixed(2)} s`);
}
