import type { Capabilities } from "../web_socket/capabilities.ts";

/** The capabilities of a channel over `node:net`: everything, on every runtime that has it. */
export const NET_CAPABILITIES: Capabilities = Object.freeze({
  headers: true,
  ping: true,
  terminate: true,
  inboundBackpressure: true,
  messageLimit: true,
  compressionOptions: true,
  tls: true,
  proxy: true,
  handshakeResponse: true,
  allCloseCodes: true,
  messageStreams: true,
  failureCause: true,
});
