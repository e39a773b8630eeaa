/** What the tests of costly frames share. */

import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import type { StreamChannel } from "../../src/stream_channel/stream_channel.ts";
import { WebSocketChannel } from "../../src/web_socket_channel.ts";
import { TurnCounter } from "../support/turns.ts";

/** A client's channel whose server is the test. */
export interface Attacked {
  readonly channel: WebSocketChannel;
  readonly peer: StreamChannel<Uint8Array>;
  /** Counts the messages of each turn. */
  readonly counter: TurnCounter;
  /** What has arrived, `"done"` included. */
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

/** Ends it. */
export async function over(it: Attacked): Promise<void> {
  it.channel.terminate();
  await it.channel.closed;
}
