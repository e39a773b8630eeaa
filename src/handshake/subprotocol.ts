/**
 * Subprotocols: what they are made of, and which a server may choose. Apart from the rest of the handshake,
 * because a page needs this and leaves the handshake to its platform.
 *
 * @module
 */

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Whether a text is a token: what names a header field, a method, a subprotocol or an extension.
 *
 * @param text The text.
 * @returns Whether it is a token; the empty text is none.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2 RFC 9110 §5.6.2}
 */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/**
 * What is wrong with the subprotocol that a server chose. RFC 6455 §4.1: one that wasn't offered fails the connection;
 * so does, as the WHATWG standard has it and most platforms do, none although some were offered.
 *
 * @param chosen The subprotocol; empty if the server chose none.
 * @param offered Those that the client offered.
 * @returns What is wrong; `null` if nothing is.
 */
export function protocolFault(chosen: string, offered: readonly string[]): string | null {
  if (chosen === "" ? offered.length === 0 : offered.includes(chosen)) return null;
  return chosen === ""
    ? "the server chose none of the offered subprotocols"
    : "the server chose a subprotocol that was not offered";
}
