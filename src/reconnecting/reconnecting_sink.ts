import type { ChannelSink } from "../stream_channel/channel_sink.ts";
import { sinkOwner } from "../stream_channel/channel_sink.ts";
import { FULFILLED } from "../stream_channel/errors.ts";
import { loopGuard } from "../stream_channel/loop_guard.ts";
import {
  type MessageInput,
  OwnWebSocketSink,
  type SendOptions,
  type WebSocketSinkTarget,
} from "../web_socket/web_socket_sink.ts";

/** What a sink's load is: all that counts is whether there is room, and whether it is empty. */
export const EMPTY = 0;
/** There is room. */
export const SOME = 1;
/** There is no room. */
export const FULL = 2;

/**
 * What takes the messages of a {@linkcode ReconnectingSink}. Its `check` throws when a message can't be sent; `isDropped`
 * says whether one that is added now is dropped, and throws when it is refused.
 */
export type ReconnectingSinkTarget =
  & WebSocketSinkTarget
  & Required<Pick<WebSocketSinkTarget, "check">>
  & { readonly isDropped: () => boolean };

/** The sink of a channel that reconnects: what is added while there is no connection may be refused. */
export class ReconnectingSink extends OwnWebSocketSink implements ChannelSink<MessageInput> {
  readonly #target: ReconnectingSinkTarget;

  /**
   * Creates an open sink.
   *
   * @param target Takes the messages.
   */
  constructor(target: ReconnectingSinkTarget) {
    super(target, { highWaterMark: FULL, closeWins: true });
    this.#target = target;
  }

  get #isOpen(): boolean {
    return !sinkOwner.isClosed(this) && !sinkOwner.isDisconnected(this);
  }

  override add(message: MessageInput, options?: SendOptions): boolean {
    if (this.#isOpen) {
      this.#target.check(message, options);
      if (this.#target.isDropped()) return false;
    }
    return super.add(message, options);
  }

  // While messages are refused there is no room, although nothing waits.
  override flush(): Promise<void> {
    return this.#isOpen && this.bufferedAmount === 0 ? loopGuard.after(FULFILLED) : super.flush();
  }
}
