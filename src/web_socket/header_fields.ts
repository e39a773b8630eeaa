import { checkField } from "../handshake/http_head.ts";
import { isReservedHeader } from "../handshake/client_handshake.ts";
import { checkOption, shown } from "../stream_channel/options.ts";

/**
 * Reads and checks the option `headers`, of either side.
 *
 * @param headers What the user gave: an object, `Headers` of whatever realm, or pairs.
 * @returns Its fields. No error shows a value: it may be a secret.
 * @throws {TypeError} When they are no header fields, one can't be sent, or it is the handshake's own.
 */
export function readHeaders(headers: unknown): [name: string, value: string][] {
  checkOption("headers", headers, "object");
  const init = headers as Iterable<unknown> | Record<string, unknown>;
  const fields: unknown[] = Symbol.iterator in init
    ? [...init as Iterable<unknown>]
    : Object.entries(init);
  return fields.map((field, i) => {
    const pair: readonly unknown[] = Array.isArray(field) && field.length === 2 ? field : [];
    const [name, value] = pair;
    if (typeof name !== "string" || typeof value !== "string") {
      const which = `field ${i + 1} of ${fields.length}`;
      const got = pair.length === 0 ? shown(field) : pair.map(kindOf).join(" and ");
      throw new TypeError(
        `Cannot use the option headers: ${which} must be a name and a value, both strings, got ${got}`,
      );
    }
    checkField(name, value);
    if (isReservedHeader(name)) {
      throw new TypeError(
        `Cannot use the option headers: the header field ${name} is the handshake's own`,
      );
    }
    return [name, value];
  });
}

/** Without its content, a number's neither: it may be a secret. */
function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}
