import type { ChannelSink } from "../stream_channel/channel_sink.ts";
import { outlet } from "../stream_channel/channel_sink.ts";
import { FULFILLED } from "../stream_channel/errors.ts";
import { loopGuard } from "../stream_channel/loop_guard.ts";
import {
  type MessageInput,
  OwnWebSocketSink,
  type SendOptions,
} from "../web_socket/web_socket_sink.ts";
import type { ReconnectingCore } from "./reconnecting_core.ts";

/** What a sink's load is: all that counts is whether there is room, and whether it is empty. */
export const EMPTY = 0;
/** There is room. */
export const SOME = 1;
/** There is no room. */
export const FULL = 2;

/** The sink of a channel that reconnects: what is added while there is no connection may be refused. */
export class ReconnectingSink extends OwnWebSocketSink implements ChannelSink<MessageInput> {
  readonly #core: ReconnectingCore;

  /**
   * Creates an open sink.
   *
   * @param core Takes the messages.
   */
  constructor(core: ReconnectingCore) {
    super(core, { highWaterMark: FULL, closeWins: true });
    this.#core = core;
  }

  get #isOpen(): boolean {
    return !outlet.isClosed(this) && !outlet.isDisconnected(this);
  }

  override add(message: MessageInput, options?: SendOptions): boolean {
    if (this.#isOpen) {
      this.#core.check(message, options);
      if (this.#core.isDropped()) return false;
    }
    return super.add(message, options);
  }

  // While messages are refused there is no room, although nothing waits.
  override flush(): Promise<void> {
    return this.#isOpen && this.bufferedAmount === 0 ? loopGuard.after(FULFILLED) : super.flush();
  }
}
