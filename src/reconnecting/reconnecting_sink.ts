import type { ChannelSink } from "../stream_channel/channel_sink.ts";
import { sinkControl } from "../stream_channel/channel_sink.ts";
import { FULFILLED } from "../stream_channel/errors.ts";
import { loopGuard } from "../stream_channel/loop_guard.ts";
import {
  type MessageInput,
  OwnWebSocketSink,
  type SendOptions,
  type WebSocketSinkTarget,
} from "../web_socket/web_socket_sink.ts";

/** The load of an empty sink. Of the load only two things matter: whether there is room, and whether it is empty. */
export const EMPTY = 0;
/** The load of a sink that has messages, and room for more. */
export const SOME = 1;
/** The load of a sink without room. */
export const FULL = 2;

/**
 * The target of a {@linkcode ReconnectingSink}. `check` throws when a message can't be sent. `isDropped` returns
 * whether to drop a message that is added now, and throws when it must be rejected.
 */
export type ReconnectingSinkTarget =
  & WebSocketSinkTarget
  & Required<Pick<WebSocketSinkTarget, "check">>
  & { readonly isDropped: () => boolean };

/** The sink of a channel that reconnects. It may reject messages while there is no connection. */
export class ReconnectingSink extends OwnWebSocketSink implements ChannelSink<MessageInput> {
  readonly #target: ReconnectingSinkTarget;

  /**
   * Creates an open sink.
   *
   * @param target The object that gets the messages.
   */
  constructor(target: ReconnectingSinkTarget) {
    super(target, { highWaterMark: FULL, closeWins: true });
    this.#target = target;
  }

  get #isOpen(): boolean {
    return !sinkControl.isClosed(this) && !sinkControl.isDisconnected(this);
  }

  override add(message: MessageInput, options?: SendOptions): boolean {
    if (this.#isOpen) {
      this.#target.check(message, options);
      if (this.#target.isDropped()) return false;
    }
    return super.add(message, options);
  }

  // While messages are rejected there is no room, although nothing is queued.
  override flush(): Promise<void> {
    return this.#isOpen && this.bufferedAmount === 0 ? loopGuard.after(FULFILLED) : super.flush();
  }
}
