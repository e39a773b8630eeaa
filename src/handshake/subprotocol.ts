/**
 * Checks of subprotocols. They are separate from the handshake, because a page needs only these.
 *
 * @module
 */

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Returns whether a text is a token: a name of a header field, method, subprotocol or extension.
 *
 * @param text The text.
 * @returns Whether it is a token. The empty text is not.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2 RFC 9110 §5.6.2}
 */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/**
 * Checks the subprotocol that a server chose. RFC 6455 §4.1: choosing one that wasn't offered fails the
 * connection. In the WHATWG standard and on most platforms, so does choosing none of the offered ones.
 *
 * @param chosen The subprotocol, or an empty text if the server chose none.
 * @param offered The subprotocols that the client offered.
 * @returns What is wrong, or `null`.
 */
export function protocolFault(chosen: string, offered: readonly string[]): string | null {
  if (chosen === "" ? offered.length === 0 : offered.includes(chosen)) return null;
  return chosen === ""
    ? "the server chose none of the offered subprotocols"
    : "the server chose a subprotocol that was not offered";
}
