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

/** The type of the companion object {@linkcode NetWebSocketChannel}, which creates channels. */
export interface NetWebSocketChannelStatic {
  /**
   * Connects over `node:net`. If the platform has no such module, `ready` and the stream fail with an
   * {@linkcode UnsupportedError}.
   *
   * The channel always verifies the certificate of a `wss:` server, unless `tls.rejectUnauthorized` is `false`. No
   * environment variable changes that.
   *
   * @param url The URL, as for `WebSocketChannel.connect`.
   * @param options The options of `WebSocketChannel.connect`, except `transport: "native"`.
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

/** Creates channels over `node:net` or `node:tls`. */
export const NetWebSocketChannel: NetWebSocketChannelStatic = {
  connect(url, given = {}) {
    const options = readConnectOptions(given);
    if (options.transport === "native") checkOption("transport", "native", '"auto"|"net"');
    return connectNet(parseConnect(url, options), options, systemClock, { dialling });
  },
};
