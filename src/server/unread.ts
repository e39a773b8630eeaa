import { streamFeed } from "../stream_channel/channel_stream.ts";
import type { ChannelCore } from "../web_socket/channel_core.ts";
import { Deadline } from "../web_socket/deadline.ts";
import { WebSocketChannelError } from "../web_socket/errors.ts";
import { type ErrorHook, report } from "./error_hook.ts";
import type { ServerWebSocketChannel } from "./server_request.ts";

/**
 * Creates the function that reports, once, a channel that nothing reads. Its queue of received messages has been full
 * for `closeTimeout`, or its connection was lost before that, and nothing has started to read. Pings and the client's
 * Close are queued behind these messages, so the client runs into its own timeout; only this report says why.
 *
 * @param hook The hook that gets the error.
 * @returns The `onUnread` of the server's channels.
 */
export function unreadReport(hook: ErrorHook | undefined): (core: ChannelCore) => void {
  return (core) => {
    core.onUnread = null;
    const { incoming, life, clock, closeTimeout: ms } = core;
    const { request } = core.face as ServerWebSocketChannel;
    let isOver = false;
    const tell = (): void => {
      if (isOver) return;
      isOver = true;
      if (streamFeed.readerOf(incoming) !== "none") return;
      report(hook, unreadError(streamFeed.queuedSize(incoming)), { where: "stream", request });
    };
    const waiting = new Deadline(clock, { ms, onTime: tell, unref: true });
    void life.closed.then(({ initiator }) => {
      waiting.clear();
      if (initiator === "transport") tell();
    });
  };
}

function unreadError(size: number): WebSocketChannelError {
  return new WebSocketChannelError(
    `Cannot receive more: ${size} bytes of messages are queued, and nothing reads channel.stream. ` +
      "Read it, or call channel.stream.discard()",
  );
}
