import { NetWebSocketChannel } from "../net/net_web_socket_channel.ts";
import { messageOf } from "../realm/kinds.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import { type Arguments, type Command, type Context, shownFault, UsageError } from "./args.ts";
import { CLIENT, connectOptions, targetOf } from "./client_options.ts";
import { DONE, FAILED, UNREACHABLE } from "./exit_codes.ts";
import { pause } from "./pause.ts";
import { printable } from "./printable.ts";
import { counted, sizeText } from "./shown.ts";
import { msText, rounded, Statistics } from "./statistics.ts";

/** Measures an echo server. */
export const bench: Command = {
  name: "bench",
  takes: "URL",
  summary: "measure a server that sends each message back: rate, p50, p99",
  count: 1,
  details:
    "The server must send each message back unchanged. Ctrl-C ends the measurement and prints its results so far.",
  options: {
    ...CLIENT,
    connections: {
      type: "string",
      short: "c",
      value: "NUMBER",
      help: "the number of connections (default 10)",
    },
    "in-flight": {
      type: "string",
      short: "f",
      value: "NUMBER",
      help: "the number of messages in flight on each connection (default 1)",
    },
    size: {
      type: "string",
      short: "s",
      value: "BYTES",
      help: "the size of a message (default 64)",
    },
    duration: {
      type: "string",
      short: "d",
      value: "SECONDS",
      help: "how long to measure (default 5)",
    },
    text: { type: "boolean", help: "send text; otherwise binary messages" },
    stall: {
      type: "string",
      value: "SECONDS",
      help: "fail if no message is received for so long (default 10)",
    },
  },
  async run(given, context) {
    const url = targetOf(given.positionals[0] ?? "");
    const load = new Load(given, context);
    return await load.run(url);
  },
};

/** A megabyte, as rates have it. */
const MEGABYTE = 1_000_000;

class Load {
  readonly #given: Arguments;
  readonly #context: Context;
  readonly #connections: number;
  readonly #inFlight: number;
  readonly #size: number;
  readonly #duration: number;
  readonly #stall: number;
  readonly #message: string | Uint8Array;
  readonly #times = new Statistics();
  readonly #faults: string[] = [];
  #isOver = false;
  #lost = 0;

  constructor(given: Arguments, context: Context) {
    this.#given = given;
    this.#context = context;
    this.#connections = given.count("connections", 10, 1, 60_000);
    this.#inFlight = given.count("in-flight", 1, 1, 1_000_000);
    this.#size = given.size("size", 64, 64 * 1_048_576);
    this.#duration = given.seconds("duration", 5000);
    this.#stall = given.seconds("stall", 10_000);
    if (this.#duration === 0) throw new UsageError("Cannot use --duration: it must be more than 0");
    const bytes = new Uint8Array(this.#size).fill(97);
    this.#message = given.has("text") ? "a".repeat(this.#size) : bytes;
  }

  async run(url: URL): Promise<number> {
    const { printer, stop } = this.#context;
    const channels = await this.#connect(url);
    const done = new AbortController();
    if (stop.aborted) done.abort();
    else stop.addEventListener("abort", () => done.abort(), { once: true });
    const start = performance.now();
    for (const channel of channels) this.#drive(channel, done);
    await this.#wait(start, done.signal);
    const seconds = (performance.now() - start) / 1000;
    this.#isOver = true;
    printer.endProgress();
    await this.#close(channels);
    return this.#report(channels.length, seconds, stop.aborted);
  }

  /** A few at a time: a server's queue of connections is short. */
  async #connect(url: URL): Promise<WebSocketChannel[]> {
    const { printer, stop } = this.#context;
    const options = { ...connectOptions(this.#given), signal: stop };
    const channels: WebSocketChannel[] = [];
    try {
      while (channels.length < this.#connections && !stop.aborted) {
        const some = Array.from(
          { length: Math.min(50, this.#connections - channels.length) },
          () => NetWebSocketChannel.connect(url, options),
        );
        channels.push(...some);
        await Promise.all(some.map((it) => it.ready));
        printer.progress(`${channels.length} of ${this.#connections} connected`);
      }
    } catch (error) {
      for (const channel of channels) channel.terminate();
      if (!stop.aborted) throw error;
    }
    return stop.aborted ? [] : channels;
  }

  /** Sends as many as may be in flight, and another one for each that comes back. */
  #drive(channel: WebSocketChannel, done: AbortController): void {
    // When each message in flight was sent: as in a ring, the oldest first.
    const sent = new Float64Array(this.#inFlight);
    let at = 0;
    let next = 0;
    const send = (): void => {
      sent[next] = performance.now();
      next = (next + 1) % sent.length;
      channel.sink.add(this.#message);
    };
    channel.stream.listen((message) => {
      if (this.#isOver || done.signal.aborted) return;
      if (message.length !== this.#size) {
        this.#fault(`a message of ${message.length} came back instead of ${this.#size}`);
        return done.abort();
      }
      this.#times.add(performance.now() - (sent[at] ?? 0));
      at = (at + 1) % sent.length;
      send();
    });
    void channel.closing.then(() => channel.closed).then(({ code, error }) => {
      if (this.#isOver || this.#context.stop.aborted) return;
      this.#lost++;
      this.#fault(error === undefined ? `closed with ${code}` : messageOf(error));
      if (this.#lost === this.#connections) done.abort();
    });
    for (let i = 0; i < this.#inFlight; i++) send();
  }

  #fault(text: string): void {
    if (this.#faults.length < 5 && !this.#faults.includes(text)) this.#faults.push(text);
  }

  async #wait(start: number, done: AbortSignal): Promise<void> {
    let seen = -1;
    let since = start;
    for (;;) {
      const now = performance.now();
      const left = this.#duration - (now - start);
      if (left <= 0 || done.aborted) return;
      const { count } = this.#times;
      if (count !== seen) since = now;
      seen = count;
      if (now - since >= this.#stall) {
        return this.#fault(`nothing came back for ${this.#stall / 1000} s: is it an echo server?`);
      }
      const rate = Math.round(count / Math.max(now - start, 1) * 1000);
      this.#context.printer.progress(
        `${Math.round((now - start) / 1000)} s: ${count} messages, ${rate} a second`,
      );
      await pause(Math.min(left, this.#stall, 500), done);
    }
  }

  async #close(channels: readonly WebSocketChannel[]): Promise<void> {
    await Promise.all(channels.map((channel) => {
      const timer = setTimeout(() => channel.terminate(), 1000);
      void channel.sink.close(1000).catch(() => {});
      return channel.closed.then(() => clearTimeout(timer));
    }));
  }

  #report(connections: number, seconds: number, isStopped: boolean): number {
    const { printer } = this.#context;
    const times = this.#times;
    const { count } = times;
    const rate = seconds === 0 ? 0 : count / seconds;
    const ms = {
      p50: times.quantile(0.5),
      p90: times.quantile(0.9),
      p99: times.quantile(0.99),
      max: times.max,
    };
    const [p50, p90, p99, max] = Object.values(ms).map(msText);
    const faults = this.#faults.map((it) => printable(it));
    printer.result({
      type: "summary",
      connections,
      lost: this.#lost,
      size: this.#size,
      inFlight: this.#inFlight,
      seconds: rounded(seconds),
      messages: count,
      rate: Math.round(rate),
      bytesPerSecond: Math.round(rate * this.#size),
      ms: Object.fromEntries(Object.entries(ms).map(([name, it]) => [name, rounded(it)])),
      faults: this.#faults,
      isStopped,
    }, [
      `${counted(connections, "connection")}, ${this.#inFlight} in flight, ${
        sizeText(this.#size)
      }, ${seconds.toFixed(1)} s${isStopped ? ", stopped" : ""}`,
      `${counted(count, "message")}, ${Math.round(rate)} a second, ${
        (rate * this.#size / MEGABYTE).toFixed(2)
      } MB/s each way`,
      `p50 ${p50}, p90 ${p90}, p99 ${p99}, max ${max}`,
      ...this.#lost === 0 ? [] : [`lost: ${counted(this.#lost, "connection")}`],
      ...faults.map((it) => printer.paint("red", shownFault({ message: it }))),
    ]);
    if (connections === 0 && !isStopped) return UNREACHABLE;
    return faults.length > 0 || count === 0 && !isStopped ? FAILED : DONE;
  }
}
