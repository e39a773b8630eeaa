import { UnsupportedError } from "./errors.ts";
import { platform } from "./platform.ts";

/**
 * A capability that a transport may have in addition to sending and receiving messages:
 *
 * - `"headers"`: extra header fields in the opening handshake;
 * - `"ping"`: `ping()`, `pong()`, `latency`, `pingInterval`, `onPing`, `onPong` and `autoPong: false`;
 * - `"terminate"`: `terminate()` and every timeout destroy the connection itself;
 * - `"inboundBackpressure"`: a slow reader stops the sender, instead of filling a queue;
 * - `"messageLimit"`: `maxMessageSize`;
 * - `"compressionOptions"`: all settings of `compression`, also to disable it;
 * - `"tls"`: the `tls` options;
 * - `"proxy"`: the `proxy` option;
 * - `"handshakeResponse"`: `response`, and the response of a failed handshake;
 * - `"allCloseCodes"`: all close codes that RFC 6455 §7.4 allows to send, not only 1000 and 3000–4999;
 * - `"messageStreams"`: `sink.addMessage()`, and the option `streamLargerThan`;
 * - `"failureCause"`: the error of a failed attempt always has the cause: `phase`, `status` and the text.
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

/** All capabilities of a transport: every {@linkcode Capability}, and whether the transport has it. */
export type Capabilities = Readonly<Record<Capability, boolean>>;

/** No capabilities, for sockets of an unknown kind. */
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

/**
 * The capabilities of a channel over bytes. All channels share one object, because each object takes 400
 * bytes.
 */
export const BARE: Capabilities = /* @__PURE__ */ Object.freeze({
  ...NO_CAPABILITIES,
  ping: true,
  inboundBackpressure: true,
  messageLimit: true,
  compressionOptions: true,
  allCloseCodes: true,
  messageStreams: true,
});

/** The capabilities of a connection over bytes for which this package has done the opening handshake. */
export const WITH_HANDSHAKE: Capabilities = /* @__PURE__ */ Object.freeze({
  ...BARE,
  headers: true,
  handshakeResponse: true,
  failureCause: true,
});

/**
 * Creates the error of a call that an open channel's transport doesn't support.
 *
 * @param capability The missing capability.
 */
export function lacking(capability: Capability): UnsupportedError {
  const where = platform();
  const hint = where === "browser"
    ? ""
    : `Connect with require: ["${capability}"], or serve with WebSocketServer or acceptUpgrade`;
  return new UnsupportedError(capability, where, hint);
}
