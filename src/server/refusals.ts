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
 * Whether a function of the user's admits a client.
 *
 * @param where The option of the function.
 * @param answer The function's answer.
 * @throws {TypeError} When the answer is no boolean, such as when the function forgets to return.
 */
export function isAdmitted(where: string, answer: unknown): boolean {
  if (typeof answer === "boolean") return answer;
  throw new TypeError(
    `Cannot use the answer of ${where}: it must be true or false, got ${shown(answer)}`,
  );
}

/** Whether `verify` answered with a context, which admits the client. */
export function hasContext(answer: unknown): answer is object {
  return typeof answer === "object" && answer !== null && "context" in answer;
}

/**
 * Returns the context in the answer of `verify`.
 *
 * @param answer The answer, for which {@linkcode hasContext} is `true`.
 * @throws {TypeError} When the answer has other members: it can't be a refusal as well.
 */
export function contextIn(answer: object): unknown {
  for (const name in answer) {
    if (name === "context" || isLibrarys(answer, name)) continue;
    if ((answer as Readonly<Record<string, unknown>>)[name] === undefined) continue;
    throw new TypeError(
      "Cannot use the answer of verify: { context } must have no other members",
    );
  }
  return (answer as { readonly context: unknown }).context;
}

/**
 * Reads the refusal that `verify` answered.
 *
 * @param answer The answer: neither `true` nor `false`.
 * @returns The refusal.
 * @throws {TypeError} When it is no refusal, or a member is unknown or can't be sent.
 * @throws {RangeError} When its status is not allowed for a refusal.
 */
export function refusalOf(answer: unknown): Refusal {
  const isBag = typeof answer === "object" && answer !== null && builtinOf(answer) === null;
  // An object without a status is more likely meant as a context.
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

/** Creates the `Response` of a refusal. */
export function refusalResponse({ status, statusText, headers, body }: Refusal): Response {
  const fields = headers.filter(([name]) => name !== "Content-Length");
  return new Response(body, {
    status,
    statusText,
    headers: fields.map(([name, value]): [string, string] => [name, value]),
  });
}
