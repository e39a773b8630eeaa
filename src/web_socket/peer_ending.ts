/** How a peer ends a channel over bytes. A platform's own `WebSocket` only reports the end. */

import { streamFeed } from "../stream_channel/channel_stream.ts";
import { loopGuard } from "../stream_channel/loop_guard.ts";
import type { ChannelCore } from "./channel_core.ts";
import type { CloseFrameContent, CloseInitiator } from "./close_info.ts";

/** The peer's Close frame has arrived: the stream ends; `ChannelCore.end` follows with the transport's. */
export function onPeerClose(
  core: ChannelCore,
  received: CloseFrameContent,
  answer?: CloseFrameContent,
): void {
  core.life.closing.received = received;
  peerIsDone(core, answer);
}

/** The connection was failed (RFC 6455 §7.1.7): the stream ends; `ChannelCore.end` follows. */
export function failConnection(
  core: ChannelCore,
  error: unknown,
  sent: CloseFrameContent | undefined,
  initiator: CloseInitiator = "protocol-error",
): void {
  const { closing } = core.life;
  closing.failedBy = initiator;
  closing.error ??= error;
  peerIsDone(core, sent);
}

function peerIsDone(core: ChannelCore, sent: CloseFrameContent | undefined): void {
  const { closing } = core.life;
  closing.sent ??= sent;
  core.onPeerCloseStarted();
  closing.isKnown = true;
  streamFeed.end(core.incoming);
}

/**
 * The peer's Close, or its fault, is in, but the reader hasn't handled what came before, or has not begun
 * to read: it gets the chance to answer.
 *
 * @param core The channel.
 * @param conclude Lets the peer's end take effect.
 */
export function endsEarly(core: ChannelCore, conclude: () => void): void {
  if (core.onEarlyEnding !== null) core.onEarlyEnding(conclude);
  else loopGuard.afterLoops(conclude);
}
