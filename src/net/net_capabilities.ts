import type { Capabilities } from "../web_socket/capabilities.ts";

/** What a channel over `node:net` can do, on every runtime that has it: everything. */
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
