import { checkClient } from "../check/check_client.ts";
import { checkServer } from "../check/check_server.ts";
import {
  type CaseResult,
  type CheckOptions,
  type Report,
  type Verdict,
  VERDICTS,
} from "../check/report.ts";
import { reportHtml } from "../check/report_html.ts";
import { nameOf } from "../realm/kinds.ts";
import { readHeaders } from "../web_socket/read_options.ts";
import { type Arguments, type Command, shownFault, UsageError } from "./args.ts";
import { CLIENT, connectOptions, targetOf, writable } from "./client_options.ts";
import { DONE, FAILED, UNREACHABLE } from "./exit_codes.ts";
import type { Colour, Printer } from "./printer.ts";
import { printable } from "./printable.ts";

const { header, ca, insecure } = CLIENT as Record<string, typeof CLIENT[string]>;

/** Checks a server, or a client. */
export const check: Command = {
  name: "check",
  takes: "URL",
  summary: "check a server that sends each message back, case by case; with --listen a client",
  count: ({ listen }) => listen === undefined ? 1 : 0,
  details:
    "With --listen PORT, and without a URL, it checks clients. A client connects to /cases and receives the list of\n" +
    "cases as a JSON text. Then it connects to the path of each case and sends each message back.\n" +
    "It prints the cases that are not ok, and ends with 1 if one has failed. Ctrl-C ends the check and prints its\n" +
    "results so far. With --json each result is a line, and the last line is the report.",
  options: {
    ...Object.fromEntries(
      Object.entries({ header, ca, insecure }).flatMap(([name, it]) =>
        it === undefined ? [] : [[name, it]]
      ),
    ),
    case: {
      type: "string",
      multiple: true,
      value: "NAME",
      help: "a case, or the beginning of its name; repeatable",
    },
    timeout: {
      type: "string",
      short: "t",
      value: "SECONDS",
      help: "the timeout of each step (default 5)",
    },
    listen: {
      type: "string",
      short: "l",
      value: "PORT",
      help: "check a client that connects here",
    },
    host: {
      type: "string",
      value: "ADDRESS",
      help: "with --listen, the address (default 127.0.0.1)",
    },
    idle: {
      type: "string",
      value: "SECONDS",
      help: "with --listen, end if no client connects for so long (default 30)",
    },
    html: { type: "string", value: "FILE", help: "write the report as a page" },
    report: { type: "string", value: "FILE", help: "write the report as JSON" },
    concurrency: {
      type: "string",
      value: "NUMBER",
      help: "the number of cases at a time (default 16)",
    },
    all: { type: "boolean", short: "a", help: "print every case, including those that are ok" },
    verbose: {
      type: "boolean",
      short: "v",
      help: "print what failed cases have sent and received",
    },
  },
  async run(given, { printer, stop }) {
    const cases = given.all("case");
    const html = writable(given, "html");
    const json = writable(given, "report");
    const running = started(given, (url) => {
      const text = `listening at ${url}: a client begins with ${url}/cases`;
      printer.status({ type: "listening", url }, text);
    }, {
      ...(cases.length === 0 ? {} : { cases }),
      timeout: Math.max(given.seconds("timeout", 5000), 1),
      signal: stop,
      onResult(result, { done, all }) {
        const isShown = given.has("all") || result.verdict !== "ok";
        const lines = isShown ? linesOf(printer, result, given.has("verbose")) : [];
        if (isShown || printer.isJson) printer.result({ type: "result", ...result }, lines);
        printer.progress(`${done} of ${all} cases`);
      },
    });
    const report = await running.catch((error: unknown) => {
      if (nameOf(error) === "RangeError") throw new UsageError(shownFault(error));
      if (nameOf(error) !== "Error") throw error;
      return shownFault(error);
    });
    printer.endProgress();
    if (typeof report === "string") {
      printer.status(
        { type: "error", message: report },
        `${printer.paint("red", "error")}: ${report}`,
      );
      return UNREACHABLE;
    }
    const { counts, isComplete } = report;
    const verdicts = Object.keys(VERDICTS) as Verdict[];
    const text = verdicts.filter((it) => counts[it] > 0).map((it) => `${counts[it]} ${it}`);
    printer.result({ type: "report", ...report }, [
      `${printable(report.subject)}: ${text.join(", ") || "no case was run"}${
        isComplete ? "" : ", stopped early"
      }`,
    ]);
    html?.(reportHtml([report]));
    json?.(`${JSON.stringify(report, null, 2)}\n`);
    return counts.failed > 0 || !isComplete && !stop.aborted ? FAILED : DONE;
  },
};

function started(
  given: Arguments,
  onListen: (url: string) => void,
  options: CheckOptions,
): Promise<Report> {
  const { headers = [], tls } = connectOptions(given);
  const hostname = given.text("host");
  const concurrency = given.count("concurrency", 16, 1, 1000);
  if (given.text("listen") !== undefined) {
    const ofServer = ["header", "ca", "insecure", "concurrency"];
    const wrong = ofServer.find((name) => given.isGiven(name));
    if (wrong !== undefined) throw new UsageError(`Cannot use --${wrong} together with --listen`);
    return checkClient({
      ...options,
      ...(hostname === undefined ? {} : { hostname }),
      port: given.count("listen", 0, 0, 65_535),
      idleTimeout: Math.max(given.seconds("idle", 30_000), 1),
      onListen,
    });
  }
  const wrong = ["host", "idle"].find((name) => given.isGiven(name));
  if (wrong !== undefined) throw new UsageError(`Cannot use --${wrong} without --listen`);
  const url = targetOf(given.positionals[0] ?? "");
  url.protocol = url.protocol.replace("http", "ws");
  return checkServer(url, {
    ...options,
    headers: readHeaders(headers),
    ...(tls === undefined ? {} : { tls: tls as Readonly<Record<string, unknown>> }),
    concurrency,
  });
}

const COLOURS: Readonly<Record<Verdict, Colour>> = {
  "ok": "green",
  "informational": "dim",
  "non-strict": "yellow",
  "unimplemented": "dim",
  "failed": "red",
};

function linesOf(printer: Printer, result: CaseResult, isVerbose: boolean): string[] {
  const { id, title, section, verdict, note, transcript } = result;
  const word = printer.paint(COLOURS[verdict], verdict);
  const lines = [`${word} ${printable(id)}: ${printable(title)} (${printable(section)})`];
  if (note !== "") lines.push(`  ${printable(note)}`);
  if (isVerbose && verdict === "failed") {
    lines.push(...transcript.map((it) => `  ${printable(it)}`));
  }
  return lines;
}
