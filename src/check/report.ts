import type { OptionKinds } from "../stream_channel/options.ts";

/** What a case shows: see {@linkcode VERDICTS}. */
export type Verdict = "ok" | "informational" | "non-strict" | "unimplemented" | "failed";

/** Which side is checked. */
export type CheckedSide = "server" | "client";

/** The verdicts, the best first, and what each means. */
export const VERDICTS: Readonly<Record<Verdict, string>> = {
  "ok": "does what the RFC requires",
  "informational": "does something that the RFC leaves open",
  "non-strict": "meets the purpose of the rule, but not its wording",
  "unimplemented": "has not agreed to what the case is about",
  "failed": "breaks a rule, or refuses what the RFC allows",
};

/** What a case is about. */
export interface CaseInfo {
  /** Its name, family first: `"ping/payload-125"`. */
  readonly id: string;
  /** One line: `"a Ping with 125 bytes"`. */
  readonly title: string;
  /** Where the rule is: `"RFC 6455 §5.5.2"`. */
  readonly section: string;
  /** What is sent to the peer, in order. */
  readonly sends: readonly string[];
  /** What the peer may do then, in order. */
  readonly allows: readonly string[];
  /** The reason for the case, one or two sentences. */
  readonly why: string;
  /** Whether it differs from another case of its family by a size or a parameter only. */
  readonly isVariant: boolean;
}

/** The result of a case. */
export interface CaseResult {
  /** The case's name. */
  readonly id: string;
  /** What the case is about, one line. */
  readonly title: string;
  /** Where the rule is. */
  readonly section: string;
  /** What the case shows. */
  readonly verdict: Verdict;
  /** What the peer did that led to the verdict, one or two sentences; empty for a plain "ok". */
  readonly note: string;
  /** How long the case took, in milliseconds. */
  readonly duration: number;
  /** What was sent (`>`) and received (`<`), a line each; long payloads are shortened. */
  readonly transcript: readonly string[];
}

/** The results of a run. JSON, as `JSON.stringify` gives it, is the file format. */
export interface Report {
  /** The version of this format: 1. */
  readonly schema: 1;
  /** Which side was checked. */
  readonly side: CheckedSide;
  /** The name of what was checked. */
  readonly subject: string;
  /** When the run began, as ISO 8601 in UTC. */
  readonly started: string;
  /** How long the run took, in milliseconds. */
  readonly duration: number;
  /** Whether all chosen cases were run; `false` after an abort, or when a client stopped connecting. */
  readonly isComplete: boolean;
  /** How many results have each verdict. */
  readonly counts: Readonly<Record<Verdict, number>>;
  /** One for each case that was run, in the order of the list of cases. */
  readonly results: readonly CaseResult[];
}

/** Options of both checks. */
export interface CheckOptions {
  /**
   * Which cases to run: names (`"ping/payload-125"`), or beginnings of names (`"ping"`, `"deflate/window"`). Left out: all.
   */
  cases?: readonly string[] | undefined;
  /** Ends the run early. The promise then fulfils with a report of the cases that were done by then. */
  signal?: AbortSignal | undefined;
  /**
   * Called with each result as soon as it is known, and how many of all chosen cases are done. When it throws, or its promise
   * rejects, the run ends and rejects with that error.
   */
  onResult?: ((result: CaseResult, progress: CheckProgress) => unknown) | undefined;
  /** The name of what is checked, for the report. Default: the URL without its query, or `"client"`. */
  subject?: string | undefined;
  /**
   * How long to wait for each thing that the peer must do, in milliseconds. Default 5,000. A case that takes more than ten
   * times as long ends as failed.
   */
  timeout?: number | undefined;
  /** How many cases to run at a time, 1 or more. Default 16. */
  concurrency?: number | undefined;
}

/** The kinds of {@linkcode CheckOptions}. */
export const CHECK_KINDS: OptionKinds<CheckOptions> = {
  cases: "list",
  signal: "AbortSignal",
  onResult: "function",
  subject: "string",
  timeout: "period",
  concurrency: "limit",
};

/** How far a run is. */
export interface CheckProgress {
  /** How many cases are done. */
  readonly done: number;
  /** How many cases were chosen. */
  readonly all: number;
}

/** Options of `checkServer`. */
export interface CheckServerOptions extends CheckOptions {
  /**
   * Header fields of each request, such as `Authorization` or `Origin`; not those of the opening handshake itself. Their values
   * are not in the report.
   */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Settings of `node:tls` for a `wss:` URL, such as `ca` or `rejectUnauthorized`. */
  tls?: object | undefined;
}

/** Options of `checkClient`. */
export interface CheckClientOptions extends CheckOptions {
  /** The port to listen at; 0 or left out: any free port. */
  port?: number | undefined;
  /** The address to listen at. Default `"127.0.0.1"`. */
  hostname?: string | undefined;
  /** Settings of `node:tls` for a server, such as `key` and `cert`: the URL is then a `wss:` URL. Left out: no TLS. */
  tls?: object | undefined;
  /**
   * Called once, with the server's URL, when clients can connect. When it throws, or its promise rejects, the run ends and
   * rejects with that error.
   */
  onListen?: ((url: string) => unknown) | undefined;
  /**
   * Connects the client to a URL and sends each message back until the connection ends; then it returns or fulfils. It is
   * called for each connection that a case needs, several at a time. What it throws or rejects with is ignored: many cases are connections that must fail.
   * Left out: the client connects by itself. See the page about checking a client.
   */
  connect?: ((url: string, wanted: WantedConnection) => unknown) | undefined;
  /** How long to wait for the next connection of a client to a case, in milliseconds. Default 30,000. */
  idleTimeout?: number | undefined;
}

/** What a case of `checkClient` would like the client to ask for. */
export interface WantedConnection {
  /** The case. */
  readonly id: string;
  /** The subprotocols to offer; usually none. */
  readonly protocols: readonly string[];
  /** Aborts when the case has ended. */
  readonly signal: AbortSignal;
}

/** Counts verdicts. */
export function countVerdicts(results: readonly { verdict: Verdict }[]): Record<Verdict, number> {
  const counts = { "ok": 0, "informational": 0, "non-strict": 0, "unimplemented": 0, "failed": 0 };
  for (const { verdict } of results) counts[verdict]++;
  return counts;
}
