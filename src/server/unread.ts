import { streamFeed } from "../stream_channel/channel_stream.ts";
import type { ChannelCore } from "../web_socket/channel_core.ts";
import { Deadline } from "../web_socket/deadline.ts";
import { WebSocketChannelError } from "../web_socket/errors.ts";
import { type ErrorHook, report } from "./error_hook.ts";
import type { ServerWebSocketChannel } from "./server_request.ts";

/**
 * Makes what reports once that nothing reads a channel: its queue of received messages has been full for
 * `closeTimeout`, or its connection was lost by then, and nothing has begun to read. Pings and the client's Close wait
 * behind such a queue: the client waits for its own timeout, and only this tells why.
 *
 * @param hook Who gets the error.
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
    `Cannot receive more: ${size} bytes of messages wait, and nothing reads channel.stream. ` +
      "Read it, or call channel.stream.discard()",
  );
}
