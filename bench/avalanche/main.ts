/**
 * An avalanche: another server replaces a server with many clients, and all clients reconnect. How long does
 * it take until all are connected, and what is the maximum rate of attempts?
 *
 * ```sh
 * deno task avalanche          # 5,000 clients
 * deno task avalanche 500      # fewer
 * ```
 */

const ROOT = new URL("../../", import.meta.url);

/** The time without a server, in milliseconds. */
const DOWN = 2000;

/** The number of clients of one process. */
const PER_PROCESS = 1250;

/** The length of the window in which attempts are counted, and the step between windows, in milliseconds. */
const STRETCH = 100;
const STEP = 10;

/** How the server closes its connections, and how the clients reconnect. */
const WAYS: readonly (readonly [name: string, code: number, way: string])[] = [
  ["always after 1 s", 1001, "fixed"],
  ["ReconnectingChannel, closed with 1001", 1001, "default"],
  ["ReconnectingChannel, closed with 1012", 1012, "default"],
];

/** A process that prints JSON, line by line, and reads lines. */
class Child {
  readonly #process: Deno.ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(script: string, ...args: readonly string[]) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-config", `bench/avalanche/${script}`, ...args],
      cwd: ROOT,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#lines = linesOf(this.#process.stdout);
    this.#writer = this.#process.stdin.getWriter();
  }

  async read(): Promise<Record<string, unknown>> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("It ended");
    return JSON.parse(value);
  }

  async write(line: string): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
  }

  async ended(): Promise<void> {
    await this.#process.status;
    await this.#writer.close().catch(() => {});
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (text + part).split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
}

interface Result {
  /** The time from the end of the old server until the last client has reconnected, in milliseconds. */
  readonly back: number;
  /** The maximum rate of attempts, per second. */
  readonly peak: number;
  readonly attempts: number;
}

/** The maximum number of attempts in any window, as a rate per second. */
function peakOf(attempts: readonly number[]): number {
  const buckets = new Map<number, number>();
  for (const at of attempts) {
    const bucket = Math.floor(at / STEP);
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
  }
  let peak = 0;
  for (const first of buckets.keys()) {
    let sum = 0;
    for (let i = 0; i < STRETCH / STEP; i++) sum += buckets.get(first + i) ?? 0;
    peak = Math.max(peak, sum);
  }
  return peak * 1000 / STRETCH;
}

async function avalanche(clients: number, code: number, way: string): Promise<Result> {
  const old = new Child("server.ts", "0", String(clients));
  const port = (await old.read())["port"] as number;
  const url = `ws://127.0.0.1:${port}/`;
  const processes: Child[] = [];
  for (let left = clients; left > 0; left -= PER_PROCESS) {
    processes.push(new Child("clients.ts", url, String(Math.min(left, PER_PROCESS)), way));
  }
  await old.read();
  // After a connection that has lasted, the next delay is a first one.
  await new Promise((resolve) => setTimeout(resolve, 6000));
  for (const it of processes) await it.write("count");
  for (const it of processes) await it.read();
  await old.write(String(code));
  await old.ended();
  const gone = Date.now();
  await new Promise((resolve) => setTimeout(resolve, DOWN));
  const next = new Child("server.ts", String(port), String(clients));
  await next.read();
  const back = (await next.read())["fullAt"] as number - gone;
  const attempts: number[] = [];
  for (const it of processes) {
    await it.write("end");
    attempts.push(...(await it.read())["attempts"] as number[]);
    await it.ended();
  }
  await next.write("1000");
  await next.ended();
  return { back, peak: peakOf(attempts), attempts: attempts.length };
}

const clients = Number(Deno.args[0] ?? 5000);
console.log(`${clients} clients; no server for ${DOWN} ms\n`);
console.log("| Clients | All are back after | Attempts per second at the peak | Attempts each |");
console.log("| --- | ---: | ---: | ---: |");
for (const [name, code, way] of WAYS) {
  const { back, peak, attempts } = await avalanche(clients, code, way);
  const each = (attempts / clients).toFixed(1);
  console.log(`| ${name} | ${(back / 1000).toFixed(1)} s | ${peak} | ${each} |`);
}
