import { type Refusal, type RefusalOptions, refuse } from "../handshake/server_handshake.ts";
import { shown } from "../stream_channel/options.ts";
import { fieldsOf, type RefusalInit } from "./server_options.ts";

/**
 * The refusal that `verify` answered.
 *
 * @param answer What it answered: neither `true`, nor anything that counts as `false`.
 * @returns The refusal.
 * @throws {TypeError} When it is no refusal, or has a header that can't be sent.
 * @throws {RangeError} When its status can't refuse.
 */
export function refusalOf(answer: unknown): Refusal {
  if (typeof answer !== "object" || answer === null) {
    throw new TypeError(
      `Cannot use the answer of verify: it must be true, false or { status }, got ${shown(answer)}`,
    );
  }
  const { status, statusText, headers, body } = answer as RefusalInit;
  if (typeof status !== "number") {
    throw new TypeError(
      `Cannot use the answer of verify: its status must be a number, got ${shown(status)}`,
    );
  }
  const options: RefusalOptions = {
    headers: fieldsOf(headers),
    ...(statusText === undefined ? {} : { statusText }),
    ...(body === undefined ? {} : { body }),
  };
  return refuse(status, options);
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
