/** Helpers for the tests of costly frames. */

import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import type { StreamChannel } from "../../src/stream_channel/stream_channel.ts";
import { WebSocketChannel } from "../../src/web_socket_channel.ts";
import { TurnCounter } from "../support/turns.ts";

/** A client's channel; the test plays its server. */
export interface Attacked {
  readonly channel: WebSocketChannel;
  readonly peer: StreamChannel<Uint8Array>;
  /** Counts the messages of each turn. */
  readonly counter: TurnCounter;
  /** The received messages, with `"done"` at the end. */
  readonly log: unknown[];
}

export function attacked(options: { maxMessageSize?: number; extensions?: string } = {}): Attacked {
  const { local, foreign: peer } = channelPair<Uint8Array>({ sync: true });
  const channel = WebSocketChannel.over(local, { side: "client", ...options });
  const counter = new TurnCounter();
  const log: unknown[] = [];
  channel.stream.listen((message) => {
    counter.step();
    log.push(message);
  }, { onDone: () => log.push("done") });
  peer.stream.listen(() => {});
  return { channel, peer, counter, log };
}

/** Ends the channel. */
export async function over(it: Attacked): Promise<void> {
  it.channel.terminate();
  await it.channel.closed;
}
