/** The ways in which a peer ends a channel over bytes. A platform's own `WebSocket` only reports the end. */

import { streamFeed } from "../stream_channel/channel_stream.ts";
import { loopGuard } from "../stream_channel/loop_guard.ts";
import type { ChannelCore } from "./channel_core.ts";
import type { CloseFrameContent, CloseInitiator } from "./close_info.ts";

/** Ends the stream after the peer's Close frame. `ChannelCore.end` follows after the transport's end. */
export function onPeerClose(
  core: ChannelCore,
  received: CloseFrameContent,
  answer?: CloseFrameContent,
): void {
  core.life.closing.received = received;
  peerIsDone(core, answer);
}

/** Ends the stream of a failed connection (RFC 6455 §7.1.7). `ChannelCore.end` follows. */
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
 * Delays the end of a connection whose reader hasn't handled the earlier messages, or hasn't started to read,
 * so that it can still answer.
 *
 * @param core The channel.
 * @param conclude Applies the peer's end.
 */
export function endsEarly(core: ChannelCore, conclude: () => void): void {
  if (core.onEarlyEnding !== null) core.onEarlyEnding(conclude);
  else loopGuard.afterLoops(conclude);
}
