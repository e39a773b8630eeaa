import { type Refusal, type RefusalOptions, refuse } from "../handshake/server_handshake.ts";
import { builtinOf } from "../realm/kinds.ts";
import { isLibrarys, type OptionKinds, readOptions, shown } from "../stream_channel/options.ts";
import { fieldsOf, type RefusalInit } from "./server_options.ts";

const REFUSAL_KINDS: OptionKinds<RefusalInit> = {
  status: "number",
  statusText: "string",
  headers: "object",
  body: "string",
};

/**
 * Whether a function of the user's lets a client in.
 *
 * @param where The option that it stands in.
 * @param answer What it answered.
 * @throws {TypeError} When that is no boolean, as of a function that forgets to return.
 */
export function isAdmitted(where: string, answer: unknown): boolean {
  if (typeof answer === "boolean") return answer;
  throw new TypeError(
    `Cannot use the answer of ${where}: it must be true or false, got ${shown(answer)}`,
  );
}

/** Whether `verify` answered with what it found out about the client, which lets it in. */
export function hasContext(answer: unknown): answer is object {
  return typeof answer === "object" && answer !== null && "context" in answer;
}

/**
 * What `verify` found out.
 *
 * @param answer What it answered, which {@linkcode hasContext}.
 * @throws {TypeError} When there is more in it: it can't be a refusal as well.
 */
export function contextIn(answer: object): unknown {
  for (const name in answer) {
    if (name === "context" || isLibrarys(answer, name)) continue;
    if ((answer as Readonly<Record<string, unknown>>)[name] === undefined) continue;
    throw new TypeError(
      "Cannot use the answer of verify: beside its context there is something else",
    );
  }
  return (answer as { readonly context: unknown }).context;
}

/**
 * The refusal that `verify` answered.
 *
 * @param answer What it answered: neither `true` nor `false`.
 * @returns The refusal.
 * @throws {TypeError} When it is no refusal, or one of its members is unknown or can't be sent.
 * @throws {RangeError} When its status can't refuse.
 */
export function refusalOf(answer: unknown): Refusal {
  const isBag = typeof answer === "object" && answer !== null && builtinOf(answer) === null;
  // Without a status it is more likely a context that was meant.
  if (!isBag || !("status" in answer)) throw noAnswer(answer);
  const read = readOptions(answer as Partial<RefusalInit>, REFUSAL_KINDS, { within: "verify()." });
  const { status, statusText, headers, body } = read;
  if (status === undefined) throw noAnswer(answer);
  const options: RefusalOptions = {
    headers: fieldsOf(headers),
    ...(statusText === undefined ? {} : { statusText }),
    ...(body === undefined ? {} : { body }),
  };
  return refuse(status, options);
}

function noAnswer(answer: unknown): TypeError {
  return new TypeError(
    "Cannot use the answer of verify: it must be true, false, { context } or a refusal such as " +
      `{ status: 403 }, got ${shown(answer)}`,
  );
}

/** A refusal in the manner of `fetch`. */
export function refusalResponse({ status, statusText, headers, body }: Refusal): Response {
  const fields = headers.filter(([name]) => name !== "Content-Length");
  return new Response(body, {
    status,
    statusText,
    headers: fields.map(([name, value]): [string, string] => [name, value]),
  });
}
