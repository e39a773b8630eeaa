import { SERVER_CASES } from "./cases/server_cases.ts";
import { type OptionKinds, readOptions } from "../stream_channel/options.ts";
import { CHECK_KINDS, type CheckServerOptions, type Report } from "./report.ts";
import { chooseCases, DEFAULT_TIMEOUT, runAll } from "./run.ts";
import { ServerSubject, type Target } from "./server_subject.ts";

const KINDS: OptionKinds<CheckServerOptions> = { ...CHECK_KINDS, headers: "object", tls: "object" };

/**
 * Checks a server: opens about 760 connections to it, and compares its behaviour with RFC 6455 and RFC 7692.
 *
 * The server must send each message back unchanged: text as text, bytes as bytes.
 *
 * @param url A `ws:` or `wss:` URL of the server. Its user info is sent as `Authorization`, unless `headers` has that
 *   field.
 * @param given See {@linkcode CheckServerOptions}.
 * @returns A promise of the report. A failed case is a part of the report; it does not reject the promise.
 * @throws {SyntaxError} When the URL is malformed.
 * @throws {TypeError} When an option is unknown or of the wrong type, or a header field can't be sent.
 * @throws {RangeError} When a name in `cases` matches no case, or a number is out of its range.
 * @throws {Error} When the server can't be reached.
 *
 * @example
 * ```ts
 * import { checkServer } from "@web-socket/channel/check";
 * import { WebSocketServer } from "@web-socket/channel/server";
 *
 * const server = await WebSocketServer.bind({
 *   handler: (channel) => {
 *     channel.stream.listen((message) => void channel.sink.add(message));
 *   },
 * });
 * const report = await checkServer(server.url, { cases: ["ping"] });
 * console.log(report.counts.failed); // 0
 * await server.close();
 * ```
 */
export async function checkServer(
  url: string | URL,
  given: CheckServerOptions = {},
): Promise<Report> {
  const options = readOptions(given, KINDS);
  const parsed = readUrl(url);
  const cases = chooseCases(SERVER_CASES, options.cases);
  const { timeout = DEFAULT_TIMEOUT, tls } = options;
  const target: Target = { url: parsed, timeout, tls, headers: fieldsOf(parsed, options.headers) };
  await reach(target, options.signal);
  return await runAll({
    side: "server",
    subject: options.subject ?? `${parsed.protocol}//${parsed.host}${parsed.pathname}`,
    cases,
    options,
    prepare: (_it, note) => Promise.resolve(new ServerSubject(target, note)),
  });
}

function readUrl(url: string | URL): URL {
  try {
    const parsed = new URL(url);
    if (/^wss?:$/.test(parsed.protocol)) return parsed;
  } catch {
    // Below.
  }
  throw new SyntaxError("Cannot check: the URL must be a ws: or wss: URL");
}

/** Finds out whether there is a server at all: otherwise each case would fail for that reason. */
async function reach(target: Target, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) return;
  // A server that has just been started may take longer than a case should.
  const timeout = Math.max(target.timeout, DEFAULT_TIMEOUT);
  const subject = new ServerSubject({ ...target, timeout }, () => {});
  const stop = (): void => subject.destroy();
  signal?.addEventListener("abort", stop);
  const wire = subject.connect();
  try {
    subject.sendRequest(wire, subject.request());
    if (await subject.answer(wire).catch(() => null) !== null || signal?.aborted) return;
  } finally {
    signal?.removeEventListener("abort", stop);
    stop();
  }
  const { code, message } = (wire.error ?? {}) as { code?: string; message?: string };
  const reason = code ?? message ?? "timeout or end of TCP";
  throw new Error(`Cannot check ${target.url.host}: nothing there answers a request, ${reason}`, {
    cause: wire.error,
  });
}

const OWN_FIELDS =
  /^(host|upgrade|connection|content-length|transfer-encoding|sec-websocket-(key|version|accept|extensions))$/i;

/** The user's header fields, and the credentials of the URL. */
function fieldsOf(
  { username, password }: URL,
  headers: CheckServerOptions["headers"] = {},
): [string, string][] {
  const fields = readFields(headers);
  const user = `${username}:${password}`;
  if (user === ":" || fields.some(([name]) => /^authorization$/i.test(name))) return fields;
  // RFC 7617 §2. A URL is ASCII, other bytes are written as %HH.
  const bytes = user.replace(
    /%([0-9a-f]{2})/gi,
    (_, digits) => String.fromCharCode(parseInt(digits, 16)),
  );
  return [["Authorization", `Basic ${btoa(bytes)}`], ...fields];
}

/** Reads the user's header fields; those that can't be sent would break the requests of all cases. */
function readFields(headers: NonNullable<CheckServerOptions["headers"]>): [string, string][] {
  const fields: Iterable<unknown> = Symbol.iterator in headers ? headers : Object.entries(headers);
  return Array.from(fields, (field) => {
    const [name, value, ...more]: unknown[] = Array.isArray(field) ? field : [];
    const isName = typeof name === "string" && NAME.test(name) && !OWN_FIELDS.test(name);
    const isValue = typeof value === "string" && !/[^\t\x20-\x7e\x80-\xff]/.test(value);
    if (isName && isValue && more.length === 0) return [name, value];
    // Without a name, anything may stand in its place, even a secret.
    const which = isName ? JSON.stringify(name) : "of this name";
    throw new TypeError(
      `Cannot check: the option \`headers\` can't have the field ${which} with this value`,
    );
  });
}

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
