import { codeOf } from "../realm/kinds.ts";
import { readHeaders } from "../web_socket/read_options.ts";
import { readTlsOptions } from "../net/tls_options.ts";
import { shownUrl } from "../web_socket/shown_url.ts";
import { type Arguments, type Command, type Context, shownFault, UsageError } from "./args.ts";
import { CLIENT, connectOptions, targetOf } from "./client_options.ts";
import { DONE, FAILED, UNREACHABLE } from "./exit_codes.ts";
import type { FrameEvents, SeenFrame, SeenMessage } from "./frame_reader.ts";
import { hexLines, printable } from "./printable.ts";
import { module } from "./process.ts";
import { redactField, redactTarget, redactText } from "./redact.ts";
import { base64Of, counted, shownText, sizeText } from "./shown.ts";
import { rounded } from "./statistics.ts";
import { type From, startTap, type TapEvents, type TappedHead } from "./tap.ts";

// What a client offers, and how long it waits, is its own affair.
const { protocol: _protocol, "connect-timeout": _timeout, ...OPTIONS } = CLIENT;

/** Relays, and shows what passes. */
export const tap: Command = {
  name: "tap",
  takes: "[ADDRESS:]PORT URL",
  summary: "relay connections to a server; show and record the messages",
  count: 2,
  details:
    "The tap offers no compression to the server, so that it can read the messages. With --compression it passes\n" +
    "the offer of the client, and does not show the content of compressed messages. It redacts secrets that it\n" +
    'knows by name or form: header fields, values of a query, JSON members such as "token", pairs such as\n' +
    "token=VALUE. It records binary messages as they are.",
  options: {
    ...OPTIONS,
    compression: { type: "boolean", help: "pass the client's compression offer to the server" },
    frames: { type: "boolean", short: "f", help: "show and record each frame, with its opcode" },
    record: { type: "string", short: "r", value: "FILE", help: "write a recording: lines of JSON" },
    secrets: { type: "boolean", help: "do not redact secrets" },
    quiet: { type: "boolean", short: "q", help: "print no messages; for --record" },
    "max-content": {
      type: "string",
      value: "BYTES",
      help: "the size up to which content is shown and recorded (default 1M)",
    },
  },
  async run(given, context) {
    const [place = "", url = ""] = given.positionals;
    const target = targetOf(url);
    const { hostname, port } = placeOf(place);
    const { headers = [], origin, tls, proxy } = connectOptions(given);
    const session = new TapSession(given, context);
    const running = await startTap({
      hostname,
      port,
      target,
      dial: {
        ...(tls === undefined ? {} : { tls: readTlsOptions(tls) }),
        ...(proxy === undefined ? {} : { proxy }),
      },
      headers: [
        ...readHeaders(headers),
        ...(origin === undefined ? [] : readHeaders([["Origin", origin]])),
      ],
      keepsCompression: given.has("compression"),
      limit: given.size("max-content", 1_048_576, 512 * 1_048_576),
      onConnection: () => session.connection(),
    }).catch((error: unknown) => {
      if (codeOf(error) === "") throw error;
      return shownFault(error);
    });
    const { printer, stop } = context;
    if (typeof running === "string") {
      printer.status({ type: "error", message: running }, `Cannot listen: ${running}`);
      return UNREACHABLE;
    }
    const shown = printable(shownUrl(target));
    const address = `ws://${hostname.includes(":") ? `[${hostname}]` : hostname}:${running.port}`;
    session.begin(shownUrl(target));
    printer.status(
      { type: "listening", url: address, target: shownUrl(target) },
      `listening at ${address}, relaying to ${shown}`,
    );
    if (!stop.aborted) {
      await new Promise<void>((resolve) => stop.addEventListener("abort", () => resolve()));
    }
    running.close();
    return session.end() ? DONE : FAILED;
  },
};

function placeOf(text: string): { hostname: string; port: number } {
  const [, hostname = "127.0.0.1", digits] = /^(?:\[?([\w.:%-]+?)\]?:)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (port <= 65_535) return { hostname, port };
  throw new UsageError(`Cannot listen at "${text}": it must be a port, or ADDRESS:PORT`);
}

/** What a tap has seen. */
class TapSession {
  readonly #context: Context;
  readonly #given: Arguments;
  readonly #start = performance.now();
  #count = 0;
  #messages = 0;
  #file: number | null = null;
  #isWhole = true;

  constructor(given: Arguments, context: Context) {
    this.#given = given;
    this.#context = context;
    const path = given.text("record");
    if (path === undefined) return;
    try {
      // Others of this machine needn't read it.
      this.#file = module("fs").openSync(path, "w", 0o600);
    } catch (error) {
      throw new UsageError(`Cannot write the file of --record, "${path}": ${codeOf(error)}`);
    }
  }

  begin(target: string): void {
    this.record({ type: "tap", version: 1, target, started: new Date().toISOString() });
  }

  /** Writes a line of the recording, and prints it. */
  show(value: object, lines: readonly string[]): void {
    this.record(value);
    if (!this.#given.has("quiet")) this.#context.printer.result(value, lines);
  }

  record(value: object): void {
    if (this.#file === null) return;
    try {
      module("fs").writeSync(this.#file, `${JSON.stringify(value)}\n`);
    } catch (error) {
      // What passes still passes.
      this.#isWhole = false;
      this.#close();
      this.#context.printer.note(`Cannot record any more: ${shownFault(error)}`);
    }
  }

  #close(): void {
    const file = this.#file;
    this.#file = null;
    if (file !== null) module("fs").closeSync(file);
  }

  /** Gives whether all was recorded. */
  end(): boolean {
    const { printer } = this.#context;
    this.#close();
    printer.status(
      { type: "summary", connections: this.#count, messages: this.#messages },
      `${counted(this.#count, "connection")}, ${counted(this.#messages, "message")}`,
    );
    return this.#isWhole;
  }

  connection(): TapEvents {
    const id = ++this.#count;
    return new Shown(id, {
      printer: this.#context.printer,
      start: this.#start,
      showsFrames: this.#given.has("frames"),
      showsSecrets: this.#given.has("secrets"),
      show: (value, lines) => this.show(value, lines),
      onMessage: () => this.#messages++,
    });
  }
}

interface ShownOptions {
  readonly printer: Context["printer"];
  readonly start: number;
  readonly showsFrames: boolean;
  readonly showsSecrets: boolean;
  readonly show: (value: object, lines: readonly string[]) => void;
  readonly onMessage: () => void;
}

/** Shows a connection. */
class Shown implements TapEvents {
  readonly #id: number;
  readonly #options: ShownOptions;

  constructor(id: number, options: ShownOptions) {
    this.#id = id;
    this.#options = options;
  }

  #show(value: object, text: readonly string[]): void {
    const { printer, start, show } = this.#options;
    const at = rounded(performance.now() - start);
    const { type, ...rest } = value as { type: string };
    const [first = "", ...more] = text;
    const head = printer.paint("dim", `${(at / 1000).toFixed(3).padStart(8)} #${this.#id}`);
    show({ type, connection: this.#id, at, ...rest }, [`${head} ${first}`, ...more]);
  }

  onRequest({ line, fields }: TappedHead): void {
    const { showsSecrets } = this.#options;
    const [, target = ""] = line.split(" ");
    const path = showsSecrets ? target : redactTarget(target);
    this.#show({ type: "request", path, headers: this.#fields(fields) }, [
      `${this.#mark("client")} request ${printable(path)}`,
    ]);
  }

  onResponse(status: number, { fields }: TappedHead): void {
    const { printer } = this.#options;
    const text = `answer ${status}`;
    this.#show({ type: "response", status, headers: this.#fields(fields) }, [
      `${this.#mark("server")} ${status === 101 ? text : printer.paint("yellow", text)}`,
    ]);
  }

  #fields(fields: TappedHead["fields"]): Record<string, string> {
    const { showsSecrets } = this.#options;
    return Object.fromEntries(fields.map(([name, value]) => {
      return [name.toLowerCase(), showsSecrets ? value : redactField(name, value)];
    }));
  }

  #mark(from: From): string {
    const { printer } = this.#options;
    return from === "client" ? printer.paint("blue", ">") : printer.paint("green", "<");
  }

  frames(from: From): FrameEvents {
    return {
      onFrame: (frame) => this.#onFrame(from, frame),
      onMessage: (message) => this.#onMessage(from, message),
      onControl: (name, payload) => this.#onControl(from, name, payload),
    };
  }

  #onFrame(from: From, frame: SeenFrame): void {
    if (!this.#options.showsFrames) return;
    const { opcode, name, fin, rsv, masked, size } = frame;
    const facts = [
      `frame ${name} (${opcode})`,
      ...fin ? ["FIN"] : [],
      ...rsv === 0 ? [] : [`RSV ${rsv.toString(2).padStart(3, "0")}`],
      ...masked ? ["masked"] : [],
      sizeText(size),
    ];
    this.#show({ type: "frame", from, ...frame }, [
      `${this.#mark(from)} ${this.#options.printer.paint("dim", facts.join(", "))}`,
    ]);
  }

  #onMessage(from: From, { kind, size, frames, isCompressed, content }: SeenMessage): void {
    const { printer, showsSecrets, onMessage } = this.#options;
    onMessage();
    const mark = this.#mark(from);
    const value = { type: "message", from, kind, size, frames };
    if (content === null) {
      const why = isCompressed ? "compressed" : "too large to be shown";
      const known = isCompressed ? { isCompressed } : {};
      return this.#show({ ...value, ...known }, [`${mark} ${kind}, ${sizeText(size)}, ${why}`]);
    }
    if (kind === "binary") {
      const head = `${mark} ${printer.paint("dim", `binary, ${sizeText(size)}`)}`;
      const lines = hexLines(content, 64).map((it) => `  ${it}`);
      return this.#show({ ...value, base64: base64Of(content) }, [head, ...lines]);
    }
    const whole = new TextDecoder().decode(content);
    const text = showsSecrets ? whole : redactText(whole);
    const redacted = text === whole ? {} : { redacted: true };
    this.#show({ ...value, text, ...redacted }, [`${mark} ${shownText(text, false)}`]);
  }

  #onControl(from: From, name: string, payload: Uint8Array): void {
    const { printer } = this.#options;
    if (name !== "close") {
      const hex = hexLines(payload)[0]?.slice(8, 55).trim() ?? "";
      return this.#show({ type: name, from, size: payload.length, base64: base64Of(payload) }, [
        `${this.#mark(from)} ${printer.paint("dim", `${name} ${hex}`.trim())}`,
      ]);
    }
    const code = payload.length < 2 ? 1005 : (payload[0] ?? 0) * 256 + (payload[1] ?? 0);
    const whole = new TextDecoder().decode(payload.subarray(2));
    const reason = this.#options.showsSecrets ? whole : redactText(whole);
    const text = code === 1005 ? "close" : `close ${code}`;
    const why = reason === "" ? "" : ` ${printable(JSON.stringify(reason))}`;
    this.#show({ type: "close", from, code, reason }, [
      `${this.#mark(from)} ${printer.paint("yellow", `${text}${why}`)}`,
    ]);
  }

  onEnd(fault: string): void {
    const text = fault === "" ? "ended" : `ended: ${printable(fault)}`;
    this.#show({ type: "end", ...(fault === "" ? {} : { fault }) }, [text]);
  }
}
