/**
 * WebSocket channels in memory, for testing code that uses channels: a connected pair, a pair over a
 * connection with faults, and a clock that a test moves.
 *
 * @module
 */

export { faultyPair, type FaultyPairOptions, type Stall } from "./faulty_pair.ts";
export { ManualClock } from "./manual_clock.ts";
export type { NumberOrRange } from "./random.ts";
export {
  type WebSocketChannelPair,
  webSocketChannelPair,
  type WebSocketChannelPairOptions,
} from "./web_socket_channel_pair.ts";
export type { Clock } from "../web_socket/clock.ts";

export {
  ConnectError,
  LimitError,
  ProtocolError,
  UnsupportedError,
  WebSocketChannelError,
} from "../web_socket/errors.ts";
export { WebSocketChannel, type WebSocketChannelStatic } from "../web_socket_channel.ts";
export type * from "../channel_types.ts";
