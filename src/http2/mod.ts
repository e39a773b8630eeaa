/**
 * WebSockets over HTTP/2 (RFC 8441), on Deno, Node and Bun: many channels share one connection, each on a stream of
 * its own. For clients {@linkcode Http2}, for servers of `node:http2` {@linkcode acceptStreams}, and for a
 * server of this package `WebSocketServer.bind` with the option `http2`.
 *
 * @module
 */

export { Http2, type Http2ConnectOptions, type Http2Static } from "./http2.ts";
export { Http2Pool, type Http2PoolOptions } from "./pool.ts";
export {
  acceptStream,
  type Http2RequestFields,
  type ServerHttp2Stream,
} from "../server/accept_stream.ts";
export { acceptStreams, type SharedHttp2Server } from "../server/accept_streams.ts";
export type { Http2Fields, Http2Stream } from "../net/http2.ts";
export * from "../server/entry_types.ts";
export type * from "../channel_types.ts";
