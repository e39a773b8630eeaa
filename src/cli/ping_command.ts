import { NetWebSocketChannel } from "../net/net_web_socket_channel.ts";
import { nameOf } from "../realm/kinds.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import { type Arguments, type Command, type Context, shownFault } from "./args.ts";
import { CLIENT, connectOptions, targetOf } from "./client_options.ts";
import { DONE, FAILED } from "./exit_codes.ts";
import { printable } from "./printable.ts";
import { closeText } from "./shown.ts";
import { msText, rounded, Statistics } from "./statistics.ts";
import { pause } from "./pause.ts";

/** Measures round trips. */
export const ping: Command = {
  name: "ping",
  takes: "URL",
  summary: "send Pings, print the time until each Pong, and statistics",
  count: 1,
  details: "It ends with 0 if at least one Ping was answered, otherwise with 1.",
  options: {
    ...CLIENT,
    count: {
      type: "string",
      short: "c",
      value: "NUMBER",
      help: "the number of Pings (default: until Ctrl-C)",
    },
    interval: {
      type: "string",
      short: "i",
      value: "SECONDS",
      help: "the time between two Pings (default 1)",
    },
    timeout: {
      type: "string",
      short: "t",
      value: "SECONDS",
      help: "the timeout of each Ping (default 5)",
    },
  },
  async run(given, context) {
    const url = targetOf(given.positionals[0] ?? "");
    const count = given.count("count", Infinity);
    const pings = new Pings(given, context);
    const channel = NetWebSocketChannel.connect(url, {
      ...connectOptions(given),
      signal: context.stop,
    });
    try {
      await channel.ready;
    } catch (error) {
      if (context.stop.aborted) return pings.summary(channel.url);
      throw error;
    }
    channel.stream.discard();
    const end = (): void => void channel.sink.close(1000);
    context.stop.addEventListener("abort", end, { once: true });
    if (context.stop.aborted) end();
    await pings.run(channel, count);
    await channel.sink.close(1000).catch(() => {});
    const info = await channel.closed;
    if (info.initiator !== "local") {
      context.printer.note(printable(closeText(info)));
    }
    return pings.summary(channel.url);
  },
};

class Pings {
  readonly #context: Context;
  readonly #interval: number;
  readonly #timeout: number;
  readonly #times = new Statistics();
  #sent = 0;

  constructor(given: Arguments, context: Context) {
    this.#context = context;
    this.#interval = given.seconds("interval", 1000);
    this.#timeout = given.seconds("timeout", 5000);
  }

  async run(channel: WebSocketChannel, count: number): Promise<void> {
    const { stop, printer } = this.#context;
    const address = channel.connectionInfo?.remoteAddress ?? new URL(channel.url).hostname;
    for (let number = 1; number <= count; number++) {
      if (number > 1) await pause(this.#interval, stop, channel.closing);
      if (stop.aborted || channel.state !== "open") return;
      this.#sent++;
      try {
        const signal = AbortSignal.any([AbortSignal.timeout(this.#timeout), stop]);
        const ms = await channel.ping({ signal });
        this.#times.add(ms);
        printer.result(
          { type: "pong", number, ms: rounded(ms) },
          `pong from ${address}: number=${number} time=${msText(ms)}`,
        );
      } catch (error) {
        // It isn't known whether it would have been answered.
        if (stop.aborted) this.#sent--;
        else this.#unanswered(number, error);
      }
    }
  }

  #unanswered(number: number, error: unknown): void {
    const why = nameOf(error) === "TimeoutError"
      ? `no Pong within ${this.#timeout / 1000} s`
      : shownFault(error);
    this.#context.printer.result(
      { type: "lost", number, reason: why },
      this.#context.printer.paint("yellow", `number=${number}: ${why}`),
    );
  }

  /** Prints the statistics; gives the exit code. */
  summary(url: string): number {
    const times = this.#times;
    const { count: answered, min, max, mean, deviation } = times;
    const sent = this.#sent;
    const loss = sent === 0 ? 0 : Math.round((1 - answered / sent) * 1000) / 10;
    const figures = {
      min: answered === 0 ? 0 : min,
      median: times.quantile(0.5),
      mean,
      p99: times.quantile(0.99),
      max,
      deviation,
    };
    const lines = [
      `--- ${printable(url)} ---`,
      `${sent} sent, ${answered} answered, ${loss} % lost`,
    ];
    if (answered > 0) {
      const [least, median, average, p99, most, spread] = Object.values(figures).map(msText);
      lines.push(
        `min ${least}, median ${median}, mean ${average}, p99 ${p99}, max ${most}, deviation ${spread}`,
      );
    }
    const ms = Object.fromEntries(
      Object.entries(figures).map(([name, value]) => [name, rounded(value)]),
    );
    this.#context.printer.result({ type: "summary", sent, answered, loss, ms }, lines);
    return answered > 0 ? DONE : FAILED;
  }
}
