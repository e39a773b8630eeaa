import { UnsupportedError } from "./errors.ts";
import { platform } from "./platform.ts";

/**
 * What a transport may be able to do, beside carrying messages:
 *
 * - `"headers"`: extra header fields in the opening handshake;
 * - `"ping"`: `ping()`, `pong()`, `latency`, `pingInterval`, `onPing`, `onPong` and `autoPong: false`;
 * - `"terminate"`: `terminate()`, and every timeout, really destroys the connection;
 * - `"inboundBackpressure"`: a slow reader stops the sender, instead of filling a queue;
 * - `"messageLimit"`: `maxMessageSize`;
 * - `"compressionOptions"`: `compression` can be chosen in detail, and switched off;
 * - `"tls"`: the `tls` options;
 * - `"proxy"`: the `proxy` option;
 * - `"handshakeResponse"`: `response`, and the response of a failed handshake;
 * - `"allCloseCodes"`: every code of RFC 6455 §7.4 that may be sent, not only 1000 and 3000–4999;
 * - `"messageStreams"`: `sink.addMessage()`, and the option `streamLargerThan`;
 * - `"failureCause"`: the error of a failed attempt always says why: `phase`, `status` and the text.
 */
export type Capability =
  | "headers"
  | "ping"
  | "terminate"
  | "inboundBackpressure"
  | "messageLimit"
  | "compressionOptions"
  | "tls"
  | "proxy"
  | "handshakeResponse"
  | "allCloseCodes"
  | "messageStreams"
  | "failureCause";

/** What a transport can do: every {@linkcode Capability}, and whether it is there. */
export type Capabilities = Readonly<Record<Capability, boolean>>;

/** No capability at all: for sockets of which nothing is known. */
export const NO_CAPABILITIES: Capabilities = Object.freeze({
  headers: false,
  ping: false,
  terminate: false,
  inboundBackpressure: false,
  messageLimit: false,
  compressionOptions: false,
  tls: false,
  proxy: false,
  handshakeResponse: false,
  allCloseCodes: false,
  messageStreams: false,
  failureCause: false,
});

/** What a channel over bytes can do: the same for all, as an object of its own for each takes 400 bytes. */
export const BARE: Capabilities = /* @__PURE__ */ Object.freeze({
  ...NO_CAPABILITIES,
  ping: true,
  inboundBackpressure: true,
  messageLimit: true,
  compressionOptions: true,
  allCloseCodes: true,
  messageStreams: true,
});

/** The capabilities of a connection over bytes whose opening handshake was done here. */
export const WITH_HANDSHAKE: Capabilities = /* @__PURE__ */ Object.freeze({
  ...BARE,
  headers: true,
  handshakeResponse: true,
  failureCause: true,
});

/**
 * The error of a call that an open channel's transport can't carry out.
 *
 * @param capability What it lacks.
 */
export function lacking(capability: Capability): UnsupportedError {
  const where = platform();
  const hint = where === "browser"
    ? ""
    : `Connect with require: ["${capability}"], or serve with WebSocketServer or acceptUpgrade`;
  return new UnsupportedError(capability, where, hint);
}
