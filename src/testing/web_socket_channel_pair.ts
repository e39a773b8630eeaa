import { type OptionKinds, readOptions } from "../stream_channel/options.ts";
import { type Clock, systemClock } from "../web_socket/clock.ts";
import { ChannelWire } from "../web_socket/channel_wire.ts";
import { overWire } from "../web_socket/over.ts";
import { type OverOptions, PROTOCOL_KINDS, type ProtocolOptions } from "../web_socket/options.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import { MemoryConnection, type MemorySide } from "./memory_connection.ts";

/** A pair of connected channels. */
export interface WebSocketChannelPair {
  /** The client's channel, which masks its frames. RFC 6455 §5.3. */
  readonly client: WebSocketChannel;
  /** The server's channel. */
  readonly server: WebSocketChannel;
}

/** Options of {@linkcode webSocketChannelPair}. Options of a channel apply to both sides. */
export interface WebSocketChannelPairOptions extends Omit<ProtocolOptions, "compression"> {
  /** The agreed subprotocol. Default: none. */
  protocol?: string | null | undefined;
  /** Options of the client's side only. */
  client?: Omit<ProtocolOptions, "compression"> | undefined;
  /** Options of the server's side only. */
  server?: Omit<ProtocolOptions, "compression"> | undefined;
  /** The clock for Pings and timeouts. A test that moves its own clock needs no sleep. */
  clock?: Clock | undefined;
}

const { compression: _compression, ...SIDE_KINDS } = PROTOCOL_KINDS;

/** The kinds of {@linkcode WebSocketChannelPairOptions}. */
export const PAIR_KINDS: OptionKinds<WebSocketChannelPairOptions> = {
  ...SIDE_KINDS,
  protocol: "string|null",
  client: "object",
  server: "object",
  clock: "object",
};

/** Reads the options of both sides. Those of the pair are already read. */
export function readPairOptions<T extends WebSocketChannelPairOptions>(options: T): T {
  const { client, server } = options;
  return {
    ...options,
    client: readOptions(client, SIDE_KINDS, { within: "client." }),
    server: readOptions(server, SIDE_KINDS, { within: "server." }),
  };
}

/** Creates two channels over the two sides of a connection. */
export function pairOver(
  connection: MemoryConnection,
  options: WebSocketChannelPairOptions,
  clock: Clock,
): WebSocketChannelPair {
  const { protocol = null, client, server, clock: _clock, ...both } = options;
  return {
    client: overSide(connection.client, { ...both, ...client, protocol, side: "client" }, clock),
    server: overSide(connection.server, { ...both, ...server, protocol, side: "server" }, clock),
  };
}

function overSide(side: MemorySide, options: OverOptions, clock: Clock): WebSocketChannel {
  return overWire(() => new ChannelWire(side, side), options, clock);
}

/**
 * Creates two WebSocket channels that are connected in memory and already open, for testing code that takes a
 * channel. They use RFC 6455 with each other, so they have all features of a channel over a network: close
 * codes, Pings, backpressure, `terminate`. No message is delivered inside the call that sends it.
 *
 * Close or terminate one of them when the test ends.
 *
 * @param given The subprotocol, the clock, and options of the channels.
 * @throws {RangeError} If a number is out of its range.
 *
 * @example
 * ```ts
 * import { webSocketChannelPair } from "@web-socket/channel/testing";
 *
 * const { client, server } = webSocketChannelPair();
 * server.stream.listen((message) => server.sink.add(`You said ${message}`));
 * client.sink.add("hello");
 * console.log((await client.stream.next()).value); // You said hello
 * await client.sink.close(1000, "that's all");
 * console.log((await server.closed).reason); // that's all
 * ```
 */
export function webSocketChannelPair(
  given?: WebSocketChannelPairOptions,
): WebSocketChannelPair {
  const options = readPairOptions(readOptions(given, PAIR_KINDS));
  const { clock = systemClock } = options;
  return pairOver(new MemoryConnection(), options, clock);
}
