import { checkServer } from "../check/check_server.ts";
import { type CaseResult, type Verdict, VERDICTS } from "../check/report.ts";
import { nameOf } from "../realm/kinds.ts";
import { readHeaders } from "../web_socket/read_options.ts";
import { type Command, shownFault, UsageError } from "./args.ts";
import { CLIENT, connectOptions, targetOf } from "./client_options.ts";
import { DONE, FAILED, UNREACHABLE } from "./exit_codes.ts";
import type { Colour, Printer } from "./printer.ts";
import { printable } from "./printable.ts";

const { header, ca, insecure } = CLIENT as Record<string, typeof CLIENT[string]>;

/** Checks a server. */
export const check: Command = {
  name: "check",
  takes: "URL",
  summary: "check a server that sends each message back, case by case",
  count: 1,
  details:
    "It prints the cases that are not ok, and ends with 1 when one has failed. Ctrl-C ends it with the results so\n" +
    "far. With --json each result is a line, and the last line is the report.",
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
      help: "a case, or the beginning of its name; may be given several times",
    },
    timeout: {
      type: "string",
      short: "t",
      value: "SECONDS",
      help: "how long to wait for each thing: 5",
    },
    concurrency: { type: "string", value: "NUMBER", help: "how many cases at a time: 16" },
    all: { type: "boolean", short: "a", help: "print each case, also those that are ok" },
    verbose: {
      type: "boolean",
      short: "v",
      help: "print what was sent and received in cases that failed",
    },
  },
  async run(given, { printer, stop }) {
    const url = targetOf(given.positionals[0] ?? "");
    url.protocol = url.protocol.replace("http", "ws");
    const { headers = [], tls } = connectOptions(given);
    const cases = given.all("case");
    const report = await checkServer(url, {
      ...(cases.length === 0 ? {} : { cases }),
      headers: Object.fromEntries(readHeaders(headers)),
      ...(tls === undefined ? {} : { tls: tls as Readonly<Record<string, unknown>> }),
      timeout: Math.max(given.seconds("timeout", 5000), 1),
      concurrency: given.count("concurrency", 16, 1, 1000),
      signal: stop,
      onResult(result, { done, all }) {
        const isShown = given.has("all") || result.verdict !== "ok";
        const lines = isShown ? linesOf(printer, result, given.has("verbose")) : [];
        if (isShown || printer.isJson) printer.result({ type: "result", ...result }, lines);
        printer.progress(`${done} of ${all} cases`);
      },
    }).catch((error: unknown) => {
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
    return counts.failed > 0 ? FAILED : DONE;
  },
};

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
