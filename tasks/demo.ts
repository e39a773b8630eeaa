/**
 * The demonstration: uses the package with a real server, and prints the results for a reader.
 *
 * ```sh
 * deno task demo                          # a server of its own: npm ws in another process
 * deno task demo wss://echo.example.com   # any server
 * ```
 */

import importMap from "../import_map.json" with { type: "json" };
import { ConnectError, type Message, WebSocketChannel } from "../mod.ts";
import * as status from "../status.ts";
import { fromFileUrl } from "./support.ts";

const MEBIBYTE = 1024 * 1024;
/** How long to print the messages of an unknown server, in milliseconds. */
const LISTEN_MS = 5_000;
/** The printed length of a message, in UTF-16 code units or bytes. */
const SHOWN = 60;

function print(label: string, text: string): void {
  console.log(label.padEnd(13) + text);
}

function describe(message: Message): string {
  if (typeof message === "string") {
    const text = JSON.stringify(message.slice(0, SHOWN));
    const rest = message.length > SHOWN ? " …" : "";
    return `text, ${count(message.length, "character")}: ${text}${rest}`;
  }
  const hex = Array.from(message.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0"));
  const rest = message.length > 16 ? " …" : "";
  return `binary, ${count(message.length, "byte")}: ${hex.join(" ")}${rest}`;
}

function count(n: number, unit: string): string {
  return `${n.toLocaleString("en")} ${unit}${n === 1 ? "" : "s"}`;
}

function isSame(a: Message, b: Message): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Connects, and prints the result; `null` if it failed. */
async function connect(url: string, protocols: string[]): Promise<WebSocketChannel | null> {
  const start = performance.now();
  print("connecting", protocols.length === 0 ? url : `${url}, offering ${protocols.join(", ")}`);
  try {
    const channel = await WebSocketChannel.open(url, { protocols, connectTimeout: 10_000 });
    const { protocol, extensions } = channel;
    print("open", `after ${Math.round(performance.now() - start)} ms`);
    print("", `subprotocol: ${protocol ?? "none"}, extensions: ${extensions || "none"}`);
    return channel;
  } catch (error) {
    printFailure(error);
    return null;
  }
}

function printFailure(error: unknown): void {
  if (!(error instanceof Error)) return print("failed", String(error));
  print("failed", `${error.name}: ${error.message}`);
  if (!(error instanceof ConnectError)) return;
  if (error.status !== null) print("", `The server answered with the HTTP status ${error.status}.`);
  print("", `Another attempt ${error.retryable ? "may" : "is not likely to"} succeed.`);
}

/** Sends a message and prints the answer. Returns whether it is the same. */
async function exchange(channel: WebSocketChannel, message: Message): Promise<boolean> {
  const start = performance.now();
  print("sent", describe(message));
  channel.sink.add(message);
  const { value, done } = await channel.stream.next();
  if (done) {
    print("received", "nothing: the connection ended");
    return false;
  }
  const same = isSame(message, value);
  const time = (performance.now() - start).toFixed(1);
  print("received", describe(value));
  print("", `${same ? "the same" : "NOT the same"}, ${time} ms later`);
  return same;
}

const CLOSERS = {
  "local": "this side",
  "remote": "the server",
  "transport": "neither side: the connection was lost",
  "timeout": "this side: the server didn't answer in time",
  "protocol-error": "this side: the server broke the protocol",
} as const;

async function printClosed(channel: WebSocketChannel): Promise<void> {
  const { code, reason, wasClean, initiator, sent } = await channel.closed;
  print("closed", `by ${CLOSERS[initiator]}`);
  if (sent !== undefined) {
    print("", `this side's Close: ${sent.code} ${JSON.stringify(sent.reason)}`);
  }
  print(
    "",
    `the server's Close: ${code === 1006 ? "none (1006)" : `${code} ${JSON.stringify(reason)}`}`,
  );
  print("", wasClean ? "The closing handshake was completed." : "There was no closing handshake.");
}

/** The one package that the demonstration's server needs. */
const ONLY_WS = `data:application/json,${
  encodeURIComponent(JSON.stringify({ imports: { ws: importMap.imports.ws } }))
}`;

/** A server in a process of its own, and its output. */
class DemoServer {
  readonly #child: Deno.ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor() {
    const script = fromFileUrl(new URL("demo_server.ts", import.meta.url));
    this.#child = new Deno.Command(Deno.execPath(), {
      // Without the project's settings, whose packages are those of all tests and examples.
      args: ["run", "--quiet", "--allow-all", "--no-config", `--import-map=${ONLY_WS}`, script],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#lines = lines(this.#child.stdout);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The next line of its output. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("The demonstration's server has ended");
    return value;
  }

  async end(): Promise<void> {
    // It may have ended by itself.
    await this.#child.stdin.close().catch(() => {});
    await this.#child.status;
  }
}

async function* lines(bytes: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of bytes.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

/** The demonstration with a server of its own. */
async function demonstrate(): Promise<boolean> {
  console.log("A channel talks to a WebSocket server made with npm ws, in another process.\n");
  const server = new DemoServer();
  try {
    const url = await server.line();
    print("server", `${url}, process ${server.pid}`);
    const channel = await connect(url, ["demo.v2", "demo.v1"]);
    if (channel === null) return false;
    print("server says", await server.line());
    console.log();
    const messages = [
      "Grüße, WebSocket! 🎈",
      Uint8Array.of(0, 1, 2, 0xfe, 0xff),
      "0123456789abcdef".repeat(MEBIBYTE / 16),
    ];
    let same = true;
    for (const message of messages) {
      same = await exchange(channel, message) && same;
      print("server says", await server.line());
      console.log();
    }
    print("closing", `with the code ${status.normalClosure} and the reason "that's all"`);
    await channel.sink.close(status.normalClosure, "that's all");
    await printClosed(channel);
    print("server says", await server.line());
    return same && (await channel.closed).wasClean;
  } finally {
    await server.end();
  }
}

/** The demonstration with the server of the URL given. */
async function talkTo(url: string): Promise<boolean> {
  const channel = await connect(url, []);
  if (channel === null) return false;
  console.log();
  const hello = "Hello from a WebSocketChannel!";
  const over = new Promise<void>((resolve) => {
    channel.stream.listen((message) => print("received", describe(message)), {
      onDone: resolve,
    });
  });
  print("sent", describe(hello));
  channel.sink.add(hello);
  print("", `received in the next ${LISTEN_MS / 1000} seconds:`);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, LISTEN_MS));
  await Promise.race([over, late]);
  clearTimeout(timer);
  console.log();
  if (channel.state === "open") print("closing", `with the code ${status.normalClosure}`);
  await channel.sink.close(status.normalClosure).catch(() => {});
  await printClosed(channel);
  return true;
}

const [url, ...more] = Deno.args;
if (more.length > 0) {
  console.error("usage: deno task demo [url]");
  Deno.exit(2);
}
const succeeded = url === undefined ? await demonstrate() : await talkTo(url);
// A platform's own socket may stay open if its peer doesn't answer.
Deno.exit(succeeded ? 0 : 1);
