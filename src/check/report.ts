import type { OptionKinds } from "../stream_channel/options.ts";

/** The verdict of a case; {@linkcode VERDICTS} has the meaning of each. */
export type Verdict = "ok" | "informational" | "non-strict" | "unimplemented" | "failed";

/** The side that is checked. */
export type CheckedSide = "server" | "client";

/** All verdicts, the best first, each with its meaning. */
export const VERDICTS: Readonly<Record<Verdict, string>> = {
  "ok": "does what the RFC requires",
  "informational": "does something that the RFC leaves open",
  "non-strict": "meets the purpose of the rule, but not its wording",
  "unimplemented": "has not agreed to what the case is about",
  "failed": "breaks a rule, or refuses what the RFC allows",
};

/** The description of a case. */
export interface CaseInfo {
  /** Its name, family first: `"ping/payload-125"`. */
  readonly id: string;
  /** One line: `"a Ping with 125 bytes"`. */
  readonly title: string;
  /** The section of the rule: `"RFC 6455 §5.5.2"`. */
  readonly section: string;
  /** What the case sends to the peer, in order. */
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
  /** The description of the case, one line. */
  readonly title: string;
  /** The section of the rule. */
  readonly section: string;
  /** The verdict about the peer. */
  readonly verdict: Verdict;
  /** What the peer did that led to the verdict, one or two sentences; empty for a plain "ok". */
  readonly note: string;
  /** How long the case took, in milliseconds. */
  readonly duration: number;
  /** The sent (`>`) and received (`<`) data, one line each, with long payloads shortened. */
  readonly transcript: readonly string[];
}

/** The results of a run. Its file format is the JSON of `JSON.stringify`. */
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
   * Which cases to run: names (`"ping/payload-125"`), or beginnings of names (`"ping"`, `"deflate/window"`). Default:
   * all.
   */
  cases?: readonly string[] | undefined;
  /** Ends the run early when it aborts. The promise then fulfils with a report of the finished cases. */
  signal?: AbortSignal | undefined;
  /**
   * Called with each result as soon as it is known, and with the progress of the run. When it throws, or its promise
   * rejects, the run ends and rejects with that error.
   */
  onResult?: ((result: CaseResult, progress: CheckProgress) => unknown) | undefined;
  /** The name of what is checked, for the report. Default: the URL without its query, or `"client"`. */
  subject?: string | undefined;
  /**
   * How long to wait for each reaction of the peer, in milliseconds. Default 5,000. A case that takes more than ten
   * times as long fails.
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

/** The progress of a run. */
export interface CheckProgress {
  /** How many cases are done. */
  readonly done: number;
  /** How many cases were chosen. */
  readonly all: number;
}

/** Options of `checkServer`. */
export interface CheckServerOptions extends CheckOptions {
  /**
   * Additional header fields of each request, such as `Authorization` or `Origin`, as the constructor of `Headers`
   * accepts them. They can't set the handshake's own fields. The report does not contain their values.
   */
  headers?: ConstructorParameters<typeof Headers>[0] | undefined;
  /** Settings of `node:tls` for a `wss:` URL, such as `ca` or `rejectUnauthorized`. */
  tls?: object | undefined;
}

/** Options of `checkClient`. */
export interface CheckClientOptions extends CheckOptions {
  /** The port to listen at; 0 chooses a free port. Default 0. */
  port?: number | undefined;
  /** The address to listen at. Default `"127.0.0.1"`. */
  hostname?: string | undefined;
  /** Settings of `node:tls` for a server, such as `key` and `cert`: the URL is then a `wss:` URL. Default: no TLS. */
  tls?: object | undefined;
  /**
   * Called once, with the server's URL, when clients can connect. When it throws, or its promise rejects, the run ends
   * and rejects with that error.
   */
  onListen?: ((url: string) => unknown) | undefined;
  /**
   * Connects the client to a URL, sends each message back until the connection ends, and then returns or fulfils.
   * Called for each connection that a case needs, several at a time. Its errors are ignored, because the connections of
   * many cases must fail. Default: the client connects by itself, as `checkClient` describes.
   */
  connect?: ((url: string, wanted: WantedConnection) => unknown) | undefined;
  /** How long to wait for the next connection of a client to a case, in milliseconds. Default 30,000. */
  idleTimeout?: number | undefined;
}

/** A connection that a case of `checkClient` needs. */
export interface WantedConnection {
  /** The id of the case. */
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
