import { nameOf } from "../realm/kinds.ts";
import { ConnectError, UnsupportedError, WebSocketChannelError } from "../web_socket/errors.ts";
import { USER_AGENT } from "../handshake/client_handshake.ts";
import { type Command, helpOf, parse, shownFault, UsageError } from "./args.ts";
import { bench } from "./bench_command.ts";
import { check } from "./check_command.ts";
import { connect } from "./connect_command.ts";
import { debug } from "./debug.ts";
import { FAILED, INTERRUPTED, UNREACHABLE, USAGE } from "./exit_codes.ts";
import { listen } from "./listen_command.ts";
import { ping } from "./ping_command.ts";
import { Printer } from "./printer.ts";
import { type Process, thisProcess } from "./process.ts";
import { replay } from "./replay_command.ts";
import { tap } from "./tap_command.ts";

const COMMANDS: readonly Command[] = [connect, listen, ping, bench, tap, replay, check];

/**
 * Runs the command line, and ends the process.
 *
 * @param args The arguments. Left out: those of the process.
 */
export async function main(args?: readonly string[]): Promise<void> {
  const process = thisProcess();
  const code = await run(args ?? process.argv.slice(2), process);
  process.exit(code);
}

/**
 * Runs a command in a process.
 *
 * @param args The arguments, without those of the runtime.
 * @param process Where it reads and prints, and what sends its signals.
 * @returns The exit code. It doesn't throw.
 */
export async function run(args: readonly string[], process: Process): Promise<number> {
  const [name = "", ...rest] = args;
  const stop = new AbortController();
  const printer = new Printer(process, rest.includes("--json"), () => stop.abort());
  try {
    const code = await chosen(name, rest, { printer, process, stop });
    await printer.flush();
    if (printer.fault === "") return code;
    printer.note(printer.fault);
    return FAILED;
  } catch (error) {
    printer.endProgress();
    const code = codeFor(error);
    printer.status(
      { type: "error", name: nameOf(error), message: shownFault(error) },
      `${printer.paint("red", "error")}: ${shownFault(error)}`,
    );
    if (code === FAILED && process.env["WSC_DEBUG"] === "1") printer.note(stackOf(error));
    return code;
  } finally {
    await printer.flush();
  }
}

async function chosen(
  name: string,
  args: readonly string[],
  { printer, process, stop }: { printer: Printer; process: Process; stop: AbortController },
): Promise<number> {
  if (name === "" || name === "help" || name === "--help" || name === "-h") {
    printer.raw(`${overview()}\n`);
    return name === "" ? USAGE : 0;
  }
  if (name === "--version" || name === "-v") {
    printer.raw(`${USER_AGENT.replace("/", " ")}\n`);
    return 0;
  }
  const command = COMMANDS.find((it) => it.name === name);
  if (command === undefined) {
    throw new UsageError(`There is no command "${name}". See web-socket-channel --help`);
  }
  const given = parse(command, args);
  if (given.has("help")) {
    printer.raw(`${helpOf(command)}\n`);
    return 0;
  }
  const interrupt = (): void => {
    if (!stop.signal.aborted) return stop.abort();
    printer.leaveTerminal();
    process.exit(INTERRUPTED);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, interrupt);
  const end = process.env["WSC_DEBUG"] === "1" ? debug(printer) : () => {};
  try {
    return await command.run(given, { printer, process, stop: stop.signal, interrupt });
  } finally {
    end();
  }
}

function codeFor(error: unknown): number {
  if (error instanceof UsageError) return USAGE;
  if (error instanceof ConnectError) return UNREACHABLE;
  // What the library finds in its arguments came from the command line.
  const isArgument = /^(?:SyntaxError|TypeError|RangeError)$/.test(nameOf(error));
  const isOwn = error instanceof WebSocketChannelError && !(error instanceof UnsupportedError);
  if (isArgument && /^Cannot /.test(shownFault(error)) || error instanceof UnsupportedError) {
    return USAGE;
  }
  return nameOf(error) === "TimeoutError" && !isOwn ? UNREACHABLE : FAILED;
}

function stackOf(error: unknown): string {
  const { stack } = error as { stack?: unknown };
  return shownFault({ message: String(stack) }).replaceAll("\\n", "\n");
}

function overview(): string {
  const names = COMMANDS.map(({ name, takes }) => `${name} ${takes}`);
  const width = Math.max(...names.map((it) => it.length));
  return [
    "web-socket-channel COMMAND",
    "",
    "Commands:",
    ...COMMANDS.map(({ summary }, i) => `  ${names[i]?.padEnd(width)}  ${summary}`),
    "",
    "web-socket-channel COMMAND --help shows the options of a command.",
    "WSC_DEBUG=1 prints the events of connections to the standard error.",
    "",
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 can't connect or listen, 130 interrupted twice.",
  ].join("\n");
}
