import { bind } from "../server/web_socket_server.ts";
import type { ServerWebSocketChannel } from "../server/server_request.ts";
import { codeOf } from "../realm/kinds.ts";
import { Deferred } from "../stream_channel/errors.ts";
import { printable } from "./printable.ts";
import { type Arguments, type Command, type Context, shownFault, UsageError } from "./args.ts";
import { fileOf } from "./client_options.ts";
import { DONE, UNREACHABLE } from "./exit_codes.ts";
import { LineSplitter } from "./input.ts";
import { type Child, killProcess, module } from "./process.ts";
import { closeFields, closeText, counted, messageFields, shownMessage } from "./shown.ts";

/** Serves. */
export const listen: Command = {
  name: "listen",
  takes: "PORT",
  summary: "serve: send messages back, only print them, or pass them to a command",
  count: 1,
  details:
    "With --exec each connection has its own process: text messages become lines of its input, and the lines of\n" +
    "its output become messages. By default only this machine can connect, and web pages of other hosts can't.",
  options: {
    log: { type: "boolean", help: "print messages, and send nothing back" },
    exec: { type: "string", value: "COMMAND", help: "a shell command for each connection" },
    host: {
      type: "string",
      value: "ADDRESS",
      help: "the address to listen at (default 127.0.0.1)",
    },
    path: { type: "string", value: "PATH", help: "the only path to serve" },
    protocol: { type: "string", multiple: true, value: "NAME", help: "a subprotocol to speak" },
    "any-origin": { type: "boolean", help: "let web pages of all hosts connect" },
    compression: { type: "boolean", help: "agree to permessage-deflate" },
    cert: { type: "string", value: "FILE", help: "a certificate chain as PEM: serve wss:" },
    key: { type: "string", value: "FILE", help: "its private key as PEM" },
    verbose: { type: "boolean", short: "v", help: "print messages that are sent back, too" },
  },
  async run(given, context) {
    const { printer, stop } = context;
    const [text = ""] = given.positionals;
    const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
    if (!(port <= 65_535)) throw new UsageError(`Cannot listen: "${text}" is not a port`);
    const cert = given.text("cert");
    const key = given.text("key");
    if ((cert === undefined) !== (key === undefined)) {
      throw new UsageError("Cannot use --cert without --key, or --key without --cert");
    }
    if (given.has("log") && given.text("exec") !== undefined) {
      throw new UsageError("Cannot use --log together with --exec");
    }
    const path = given.text("path");
    let count = 0;
    const guests = new Set<Promise<void>>();
    const server = await bind({
      port,
      hostname: given.text("host"),
      ...(path === undefined ? {} : { path }),
      protocols: given.all("protocol"),
      compression: given.has("compression"),
      ...(given.has("any-origin") ? { origin: () => true, hosts: () => true } : {}),
      ...(cert === undefined || key === undefined
        ? {}
        : { tls: { cert: fileOf("cert", cert), key: fileOf("key", key) } }),
      onError: (error) => printer.note(shownFault(error)),
      onRefused: ({ request, status, reason }) =>
        printer.status(
          { type: "refused", url: request.url.pathname, status, reason },
          printer.paint("yellow", `refused with ${status}: ${printable(reason)}`),
        ),
      handler: (channel) => {
        const served = new Guest(++count, channel, { given, context }).serve();
        guests.add(served);
        return served.finally(() => guests.delete(served));
      },
    }).catch((error: unknown) => {
      if (codeOf(error) === "") throw error;
      return shownFault(error);
    });
    if (typeof server === "string") {
      printer.status({ type: "error", message: server }, `Cannot listen: ${server}`);
      return UNREACHABLE;
    }
    printer.status({ type: "listening", url: server.url }, `listening at ${server.url}`);
    const end = (): void => void server.close({ drainTimeout: 2000 });
    if (stop.aborted) end();
    else stop.addEventListener("abort", end, { once: true });
    await server.closed;
    // Their commands may outlive their connections.
    await Promise.allSettled(guests);
    printer.status({ type: "end", connections: count }, `${counted(count, "connection")} served`);
    return DONE;
  },
};

/** A line of a command's output that is longer ends the connection. */
const MAX_LINE = 16 * 1_048_576;

class Guest {
  readonly #id: number;
  readonly #channel: ServerWebSocketChannel;
  readonly #given: Arguments;
  readonly #context: Context;

  constructor(
    id: number,
    channel: ServerWebSocketChannel,
    { given, context }: { given: Arguments; context: Context },
  ) {
    this.#id = id;
    this.#channel = channel;
    this.#given = given;
    this.#context = context;
  }

  async serve(): Promise<void> {
    const { printer } = this.#context;
    const channel = this.#channel;
    const { remoteAddress, remotePort } = channel.request;
    const path = printable(new URL(channel.url).pathname);
    const from = `${remoteAddress} port ${remotePort}`;
    this.#status(
      { type: "open", path: new URL(channel.url).pathname },
      `connected from ${from}: ${path}`,
    );
    const command = this.#given.text("exec");
    const child = command === undefined ? null : new Piped(command, channel);
    const isShown = this.#given.has("log") || this.#given.has("verbose");
    const isEcho = child === null && !this.#given.has("log");
    const mark = `${printer.paint("cyan", `#${this.#id}`)} ${printer.paint("green", "<")}`;
    for await (const message of channel.stream) {
      if (isShown) {
        const value = { type: "message", connection: this.#id, ...messageFields(message) };
        printer.result(value, shownMessage(printer, mark, message));
        await printer.room();
      }
      if (isEcho) {
        channel.sink.add(message);
        // A client that sends and doesn't read is read no faster than it reads.
        await Promise.race([channel.sink.ready, channel.closing]);
      }
      await child?.take(message);
    }
    const exited = child?.end();
    const info = await channel.closed;
    const text = closeText(info).replace("the server", "the client");
    this.#status(closeFields(info), text);
    await exited;
  }

  #status(value: object, text: string): void {
    const { printer } = this.#context;
    const id = printer.paint("cyan", `#${this.#id}`);
    printer.status({ ...value, connection: this.#id }, `${id} ${printer.paint("dim", text)}`);
  }
}

/** A command that has a connection for its input and output. */
class Piped {
  readonly #child: Child;
  /** The connection is closing. */
  #isOver = false;
  #hasEnded = false;
  #wake = (): void => {};
  readonly #exited = new Deferred();

  constructor(command: string, channel: ServerWebSocketChannel) {
    const child = this.#child = module("child_process").spawn(command, {
      shell: true,
      stdio: ["pipe", "pipe", "inherit"],
    });
    const { stdin, stdout } = child;
    const { sink } = channel;
    const lines = new LineSplitter(MAX_LINE, (line) => void sink.add(line));
    const close = (code: number, reason = ""): void =>
      void sink.close(code, reason).catch(() => {});
    stdin.on("error", () => {});
    stdout.on("error", () => {});
    stdout.on("data", (chunk) => {
      if (this.#isOver) return;
      if (!lines.push(chunk)) return close(1011, "a line is too long");
      if (sink.hasRoom) return;
      stdout.pause();
      void Promise.race([sink.ready, channel.closing]).then(() => stdout.resume());
    });
    // Nothing takes its output any more: a command that goes on to write ends by that.
    void channel.closing.then(() => {
      this.#isOver = true;
      stdout.destroy();
    });
    child.on("error", () => {
      this.#onExit();
      close(1011, "the command can't be run");
    });
    child.on("exit", () => this.#onExit());
    // Not at its exit: output may still be pending.
    child.on("close", (code, signal) => {
      if (this.#isOver) return;
      lines.end();
      if (code === 0) close(1000);
      else close(1011, `it ended with ${code ?? signal}`);
    });
  }

  /** Gives it a message. */
  async take(message: string | Uint8Array): Promise<void> {
    if (this.#hasEnded) return;
    const { stdin } = this.#child;
    const hasRoom = stdin.write(typeof message === "string" ? `${message}\n` : message);
    if (hasRoom) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      stdin.once("drain", resolve);
    });
  }

  /** It takes no more input. */
  #onExit(): void {
    this.#hasEnded = true;
    this.#wake();
    this.#exited.resolve();
  }

  /**
   * Ends the input of a command whose client has left. A command that goes on is asked to end after 2 seconds
   * (SIGTERM), and killed 2 seconds later.
   *
   * @returns A promise that fulfils when the command has ended.
   */
  end(): Promise<void> {
    if (!this.#hasEnded) {
      this.#child.stdin.end();
      const term = setTimeout(() => this.#child.kill("SIGTERM"), 2000);
      const { pid } = this.#child;
      // A second signal by `kill` of the process does nothing on Deno 2.9.
      const kill = setTimeout(() => pid !== undefined && killProcess(pid), 4000);
      void this.#exited.promise.then(() => {
        clearTimeout(term);
        clearTimeout(kill);
      });
    }
    return this.#exited.promise;
  }
}
