import { isSendable } from "../../status.ts";
import { NetWebSocketChannel } from "../net/net_web_socket_channel.ts";
import type { ConnectOptions } from "../web_socket/options.ts";
import { type Arguments, type Command, type Context, UsageError } from "./args.ts";
import { CLIENT, connectOptions, fileOf, targetOf } from "./client_options.ts";
import { DONE, FAILED } from "./exit_codes.ts";
import { MAX_PAUSE, pause } from "./pause.ts";
import { readRecording, type Recorded } from "./recording.ts";
import {
  closeFields,
  closeText,
  counted,
  isGoodEnd,
  messageFields,
  shownMessage,
} from "./shown.ts";
import { rounded } from "./statistics.ts";

/** Plays a recording back. */
export const replay: Command = {
  name: "replay",
  takes: "FILE URL",
  summary: "send the client messages that tap has recorded to a server",
  count: 2,
  details:
    "It opens each recorded connection and sends its messages, at the recorded times. A redacted message is sent\n" +
    "without its secrets: record with tap --secrets to keep them.",
  options: {
    ...CLIENT,
    speed: {
      type: "string",
      short: "s",
      value: "FACTOR",
      help: "the speed factor (default 1); max: without waiting",
    },
    quiet: { type: "boolean", short: "q", help: "print no messages" },
  },
  async run(given, context) {
    const [path = "", url = ""] = given.positionals;
    const target = targetOf(url);
    const speed = speedOf(given.text("speed") ?? "1");
    const recorded = readRecording(fileOf("FILE", path));
    const { printer, stop } = context;
    const lost = sum(recorded, "missing");
    const redacted = sum(recorded, "redacted");
    if (lost > 0) {
      printer.note(`left out, as recorded without content: ${counted(lost, "message")}`);
    }
    if (redacted > 0) printer.note(`sent without secrets: ${counted(redacted, "message")}`);
    const start = performance.now();
    const player = new Player(given, context, target, speed);
    const good = await Promise.all(recorded.map((it) => player.play(it)));
    const { sent, received } = player;
    const seconds = (performance.now() - start) / 1000;
    const expected = sum(recorded, "received");
    printer.result({
      type: "summary",
      connections: recorded.length,
      sent,
      received,
      recorded: expected,
      seconds: rounded(seconds),
      isStopped: stop.aborted,
    }, [
      `${counted(recorded.length, "connection")}, ${
        counted(sent, "message")
      } sent, ${received} received, ${expected} when it was recorded${
        stop.aborted ? ", stopped" : ""
      }`,
    ]);
    return good.every(Boolean) ? DONE : FAILED;
  },
};

function sum(recorded: readonly Recorded[], of: "missing" | "redacted" | "received"): number {
  return recorded.reduce((total, it) => total + it[of], 0);
}

function speedOf(text: string): number {
  if (text === "max") return Infinity;
  const speed = /^\d{1,6}(?:\.\d{1,6})?$/.test(text) ? Number(text) : NaN;
  if (speed > 0) return speed;
  throw new UsageError(`Cannot use --speed: it must be a number above 0, or max, got "${text}"`);
}

class Player {
  sent = 0;
  received = 0;
  readonly #context: Context;
  readonly #target: URL;
  readonly #speed: number;
  readonly #isQuiet: boolean;
  readonly #options: ConnectOptions;
  readonly #start = performance.now();

  constructor(given: Arguments, context: Context, target: URL, speed: number) {
    this.#context = context;
    this.#target = target;
    this.#speed = speed;
    this.#isQuiet = given.has("quiet");
    this.#options = { ...connectOptions(given), afterClose: "deliver", signal: context.stop };
  }

  /** Waits until the time of the recording. */
  async #until(at: number, end?: Promise<unknown>): Promise<void> {
    const wait = at / this.#speed - (performance.now() - this.#start);
    if (wait > 0) await pause(wait, this.#context.stop, end);
  }

  /** Plays a connection back; gives whether it has ended well. */
  async play({ id, at, messages, received, close }: Recorded): Promise<boolean> {
    const { stop, printer } = this.#context;
    await this.#until(at);
    if (stop.aborted) return true;
    const channel = NetWebSocketChannel.connect(this.#target, this.#options);
    let count = 0;
    let onCount = (): void => {};
    const mark = `${printer.paint("cyan", `#${id}`)} ${printer.paint("green", "<")}`;
    channel.stream.listen((message) => {
      this.received++;
      if (++count >= received) onCount();
      if (this.#isQuiet) return;
      const value = { type: "message", connection: id, ...messageFields(message) };
      printer.result(value, shownMessage(printer, mark, message, false));
    }, { onError() {} });
    const ended = channel.closed;
    try {
      await channel.ready;
    } catch (error) {
      if (stop.aborted) return true;
      throw error;
    }
    for (const message of messages) {
      await this.#until(message.at, channel.closing);
      if (stop.aborted || channel.state !== "open") break;
      channel.sink.add(message.content);
      this.sent++;
      if (channel.sink.hasRoom) continue;
      await pause(MAX_PAUSE, stop, Promise.race([channel.sink.ready, channel.closing]));
    }
    // As fast as possible, the answers still have to come: as many as there were, or until the server falls silent.
    if (this.#speed === Infinity && count < received && channel.state === "open") {
      await Promise.race([
        pause(2000, stop, ended),
        new Promise<void>((resolve) => onCount = resolve),
      ]);
    } else if (close !== null) await this.#until(close.at, channel.closing);
    const { code = 1000, reason = "" } = close ?? {};
    const isPlain = isSendable(code);
    await channel.sink.close(isPlain ? code : 1000, isPlain ? reason : "").catch(() => {});
    const info = await ended;
    const text = `${printer.paint("cyan", `#${id}`)} ${printer.paint("dim", closeText(info))}`;
    printer.status({ ...closeFields(info), connection: id }, text);
    return isGoodEnd(info) || info.initiator === "local" && info.error === undefined;
  }
}
