import { checkOption } from "../stream_channel/options.ts";
import { systemClock } from "../web_socket/clock.ts";
import { parseConnect } from "../web_socket/connect_request.ts";
import type { ConnectOptions } from "../web_socket/options.ts";
import { readConnectOptions } from "../web_socket/read_options.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import * as dialling from "./dialer.ts";
import { connectNet } from "./connect_net.ts";

/** A channel over `node:net` or `node:tls`, on Deno, Node and Bun. */
export type NetWebSocketChannel = WebSocketChannel;

/** What {@linkcode NetWebSocketChannel}, the companion object, can do. */
export interface NetWebSocketChannelStatic {
  /**
   * Connects over `node:net`. Where the platform has no such module, `ready` and the stream fail with
   * an {@linkcode UnsupportedError}.
   *
   * The certificate of a `wss:` server is always verified, unless `tls.rejectUnauthorized` is
   * `false`; no environment variable changes that.
   *
   * @param url As for `WebSocketChannel.connect`.
   * @param options As for `WebSocketChannel.connect`, but for the `transport` `"native"`.
   * @throws {SyntaxError | TypeError | RangeError} When an argument is malformed.
   *
   * @example
   * ```ts ignore
   * import { NetWebSocketChannel } from "@web-socket/channel/net";
   *
   * const channel = NetWebSocketChannel.connect("wss://example.com", { pingInterval: 20_000 });
   * await channel.ready;
   * console.log(await channel.ping());
   * ```
   */
  connect(url: string | URL, options?: ConnectOptions): NetWebSocketChannel;
}

/** Makes {@linkcode NetWebSocketChannel}s. */
export const NetWebSocketChannel: NetWebSocketChannelStatic = {
  connect(url, given = {}) {
    const options = readConnectOptions(given);
    if (options.transport === "native") checkOption("transport", "native", '"auto"|"net"');
    return connectNet(parseConnect(url, options), options, systemClock, { dialling });
  },
};
