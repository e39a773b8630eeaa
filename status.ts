/**
 * The close codes of the WebSocket protocol, by name.
 *
 * Import it as a namespace, because the names are short:
 *
 * ```ts
 * import * as status from "@web-socket/channel/status";
 *
 * const code = status.goingAway; // 1001
 * const allowed = status.isSendable(code); // true
 * ```
 *
 * The names are those of Dart's `status` library. The codes are those of the
 * {@link https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number IANA registry} for the
 * protocol itself, 1000–1015.
 *
 * @module
 */

/** The purpose for which the connection was opened has been fulfilled. RFC 6455 §7.4.1. */
export const normalClosure = 1000;

/** An endpoint is going away: a server shuts down, or a browser leaves the page. RFC 6455 §7.4.1. */
export const goingAway = 1001;

/** An endpoint closes the connection because of a protocol error. RFC 6455 §7.4.1. */
export const protocolError = 1002;

/**
 * An endpoint has received a kind of data that it can't accept, such as binary data where it only understands
 * text. RFC 6455 §7.4.1.
 */
export const unsupportedData = 1003;

/** The peer's Close frame had no code. This code is never sent, only reported. RFC 6455 §7.4.1 and §7.1.5. */
export const noStatusReceived = 1005;

/**
 * The connection ended without a Close frame. This code is never sent, only reported. RFC 6455 §7.4.1 and
 * §7.1.5.
 */
export const abnormalClosure = 1006;

/** The data of a message doesn't match its type, such as text that isn't UTF-8. RFC 6455 §7.4.1. */
export const invalidFramePayloadData = 1007;

/** A message violates the endpoint's policy. Use this code if no other fits better. RFC 6455 §7.4.1. */
export const policyViolation = 1008;

/** A message is too big to process. RFC 6455 §7.4.1. */
export const messageTooBig = 1009;

/**
 * The client expected the server to agree to an extension, and the server didn't. Only a client sends this
 * code. RFC 6455 §7.4.1.
 */
export const missingMandatoryExtension = 1010;

/** An unexpected condition prevents the endpoint from fulfilling the request. RFC 6455 §7.4.1. */
export const internalServerError = 1011;

/**
 * The service is restarting. A client may reconnect after a random delay of 5 to 30 seconds. IANA registry.
 */
export const serviceRestart = 1012;

/** The service is overloaded. A client should reconnect later, or to another address. IANA registry. */
export const tryAgainLater = 1013;

/** A gateway or proxy got an invalid response from the server behind it, like HTTP's 502. IANA registry. */
export const badGateway = 1014;

/** The TLS handshake failed. This code is never sent, only reported. RFC 6455 §7.4.1. */
export const tlsHandshakeFailed = 1015;

/**
 * Returns whether a Close frame may have a code: 1000–1003 and 1007–1014 (the IANA registry), 3000–3999
 * (registered by libraries and frameworks) and 4000–4999 (private use). RFC 6455 §7.4.
 *
 * This is the rule of the protocol, which also applies to received codes. A browser's own `WebSocket` can
 * send fewer: 1000 and 3000–4999.
 *
 * @param code The close code. For anything but an integer the result is `false`.
 * @returns Whether RFC 6455 allows `code` on the wire.
 *
 * @example
 * ```ts
 * import { abnormalClosure, goingAway, isSendable } from "@web-socket/channel/status";
 *
 * isSendable(goingAway); // true
 * isSendable(abnormalClosure); // false: it is reported, never sent
 * ```
 */
export function isSendable(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}
