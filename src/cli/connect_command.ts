import { NetWebSocketChannel } from "../net/net_web_socket_channel.ts";
import { connectAnyhow } from "../reconnecting/connect_anyhow.ts";
import { OwnReconnectingChannel } from "../reconnecting/own_reconnecting_channel.ts";
import type { ReconnectingState } from "../reconnecting/state.ts";
import type { CloseInfo } from "../web_socket/close_info.ts";
import type { ConnectOptions } from "../web_socket/options.ts";
import { DEFAULT_MAX_MESSAGE_SIZE } from "../web_socket/options.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import { preHandled } from "../stream_channel/errors.ts";
import type { ChannelStream } from "../stream_channel/channel_stream.ts";
import type { WebSocketSink } from "../web_socket/web_socket_sink.ts";
import { type Arguments, type Command, type Context, UsageError } from "./args.ts";
import { CLIENT, connectOptions, targetOf } from "./client_options.ts";
import { DONE, FAILED } from "./exit_codes.ts";
import { linesOf } from "./input.ts";
import { hexLines, printable } from "./printable.ts";
import type { Printer } from "./printer.ts";
import {
  closeFields,
  closeText,
  isGoodEnd,
  messageFields,
  shownMessage,
  sizeText,
} from "./shown.ts";
import { shownFields } from "./redact.ts";

/** Sends lines, and prints messages. */
export const connect: Command = {
  name: "connect",
  takes: "URL",
  summary: "connect, send each line of the input, print each message",
  count: 1,
  details:
    "On a terminal, Ctrl-D or Ctrl-C closes the connection. Without a terminal, the end of the input closes it.\n" +
    "Messages that the server sends before its own Close are still printed.",
  options: {
    ...CLIENT,
    binary: { type: "boolean", short: "b", help: "send lines as binary messages" },
    wait: {
      type: "string",
      short: "w",
      value: "SECONDS",
      help: "how long to stay connected after the end of the input (default 0)",
    },
    "receive-only": {
      type: "boolean",
      help: "read no input; stay until the server closes, or until Ctrl-C",
    },
    reconnect: { type: "boolean", help: "connect again when the connection is lost" },
    raw: { type: "boolean", help: "print messages as they are; not to a terminal" },
    plain: { type: "boolean", help: "do not print JSON on several lines" },
    verbose: { type: "boolean", short: "v", help: "print the handshake, pings and pongs" },
  },
  run: (given, context) => new Conversation(given, context).run(),
};

/** What a channel, or one that reconnects, has. */
interface Line {
  readonly stream: ChannelStream<Message>;
  readonly sink: WebSocketSink;
  readonly closed: Promise<CloseInfo>;
}

class Conversation {
  readonly #given: Arguments;
  readonly #context: Context;
  readonly #printer: Printer;
  #isStopped = false;

  constructor(given: Arguments, context: Context) {
    this.#given = given;
    this.#context = context;
    this.#printer = context.printer;
  }

  async run(): Promise<number> {
    const [text = ""] = this.#given.positionals;
    if (this.#given.has("raw") && this.#printer.isTerminal) {
      throw new UsageError(
        "Cannot use --raw: the output is a terminal, which would obey the messages",
      );
    }
    const url = targetOf(text);
    const wait = this.#given.seconds("wait", 0);
    const line = await this.#connected(url);
    if (line === null) return DONE;
    const { stop } = this.#context;
    const end = (): void => {
      this.#isStopped = true;
      void line.sink.close(1000).catch(() => {});
    };
    const input = this.#given.has("receive-only") ? null : this.#read(line, end, wait);
    if (stop.aborted) end();
    else stop.addEventListener("abort", end, { once: true });
    const printed = preHandled(this.#print(line));
    const info = await line.closed;
    await printed.finally(() => input?.close());
    this.#printer.status(closeFields(info), this.#printer.paint("dim", closeText(info)));
    return isGoodEnd(info) || this.#isStopped && info.error === undefined ? DONE : FAILED;
  }

  /** `null`: stopped before. */
  async #connected(url: URL): Promise<Line | null> {
    const { stop } = this.#context;
    const options: ConnectOptions = {
      ...connectOptions(this.#given),
      afterClose: "deliver",
      pingInterval: 30_000,
      onPing: (payload) => this.#control("ping", payload),
      onPong: (payload) => this.#control("pong", payload),
    };
    if (this.#given.has("reconnect")) return this.#staying(url, options);
    const channel = NetWebSocketChannel.connect(url, { ...options, signal: stop });
    try {
      await channel.ready;
    } catch (error) {
      if (stop.aborted) return null;
      throw error;
    }
    this.#opened(channel);
    return channel;
  }

  #staying(url: URL, options: ConnectOptions): Line {
    const onState = (state: ReconnectingState): void => {
      if (state.name === "open" && channel.connection !== null) this.#opened(channel.connection);
      if (state.name !== "waiting") return;
      const { delay, info } = state;
      const text = `${closeText(info)}; next attempt in ${(delay / 1000).toFixed(1)} s`;
      this.#printer.status({ ...closeFields(info), type: "waiting", delay }, this.#dim(text));
    };
    const channel = new OwnReconnectingChannel({ ...options, url }, { onState }, {
      connect: connectAnyhow,
    });
    return channel;
  }

  #dim(text: string): string {
    return this.#printer.paint("dim", text);
  }

  #opened(channel: WebSocketChannel): void {
    const { protocol, extensions, response, connectionInfo: info } = channel;
    const url = printable(channel.url);
    const facts = [
      protocol === null ? "" : `subprotocol ${printable(protocol)}`,
      extensions === "" ? "" : printable(extensions),
    ].filter((it) => it !== "");
    const detail = facts.length === 0 ? "" : ` (${facts.join(", ")})`;
    const value = { type: "open", url: channel.url, protocol, extensions };
    this.#printer.status(value, this.#dim(`connected to ${url}${detail}`));
    if (!this.#given.has("verbose") || this.#printer.isJson) return;
    if (info !== null) {
      const tls = info.tls === null ? "" : `, ${info.tls.protocol} ${info.tls.cipher}`;
      const proxy = info.proxy === null ? "" : `, by way of ${printable(info.proxy)}`;
      this.#printer.note(
        this.#dim(`  to ${info.remoteAddress} port ${info.remotePort}${proxy}${tls}`),
      );
    }
    for (const field of shownFields(response?.headers ?? [])) {
      this.#printer.note(this.#dim(`  ${printable(field)}`));
    }
  }

  #control(kind: "ping" | "pong", payload: Uint8Array): void {
    if (!this.#given.has("verbose")) return;
    const hex = payload.length === 0 ? "" : `: ${hexLines(payload)[0]?.slice(8, 55).trim()}`;
    const value = { type: kind, ...messageFields(payload), kind: undefined };
    this.#printer.status(value, this.#dim(`received a ${kind}, ${sizeText(payload.length)}${hex}`));
  }

  /** Prints what is received, as fast as it is taken. */
  async #print({ stream }: Line): Promise<void> {
    const printer = this.#printer;
    const isRaw = this.#given.has("raw");
    const pretty = !this.#given.has("plain");
    const mark = printer.paint("green", "<");
    for await (const message of stream) {
      if (isRaw) {
        printer.raw(message);
        if (typeof message === "string") printer.raw("\n");
      } else {
        const value = printer.isJson ? { type: "message", ...messageFields(message) } : {};
        printer.result(value, printer.isJson ? "" : shownMessage(printer, mark, message, pretty));
      }
      await printer.room();
    }
  }

  #read({ sink, closed }: Line, end: () => void, wait: number): { close(): void } {
    const { process, interrupt } = this.#context;
    const limit = DEFAULT_MAX_MESSAGE_SIZE;
    const lines = linesOf(process, this.#printer, limit, interrupt);
    const isBinary = this.#given.has("binary");
    const encoder = new TextEncoder();
    let timer: unknown = null;
    lines.start({
      onLine: (line) => {
        try {
          sink.add(isBinary ? encoder.encode(line) : line);
        } catch {
          // It is closed: `closed` says why.
          return;
        }
        if (sink.hasRoom) return;
        lines.pause();
        const resume = (): void => lines.resume();
        sink.ready.then(resume, () => {});
      },
      onEnd: () => {
        if (wait === 0) end();
        else timer = setTimeout(end, wait);
      },
      onFault: (text) => {
        this.#printer.note(text);
        end();
        this.#isStopped = false;
      },
    });
    void closed.then(() => clearTimeout(timer as number));
    return lines;
  }
}
