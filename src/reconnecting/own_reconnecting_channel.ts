import type { ChannelStream } from "../stream_channel/channel_stream.ts";
import { type ChannelLike, partsOf } from "../stream_channel/channel_like.ts";
import { pipe, StreamChannelBase } from "../stream_channel/stream_channel.ts";
import { Channel } from "../web_socket/channel.ts";
import { inspectAs } from "../web_socket/inspection.ts";
import { PassingOn } from "../web_socket/passing_on.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import {
  endUnasked,
  type MessageInput,
  type WebSocketSink,
} from "../web_socket/web_socket_sink.ts";
import type { ReconnectingChannel, ReconnectingOptions, Target } from "./reconnecting_channel.ts";
import { ReconnectingCore, type ReconnectingMeans } from "./reconnecting_core.ts";
import type { ReconnectingCloseInfo, ReconnectingState } from "./state.ts";

/** The implementation of a channel that reconnects; users hold it. */
export class OwnReconnectingChannel extends StreamChannelBase<Message, MessageInput>
  implements ReconnectingChannel {
  readonly stream: ChannelStream<Message>;
  readonly sink: WebSocketSink;
  readonly #core: ReconnectingCore;

  /**
   * Starts connecting. See {@linkcode ReconnectingCore}.
   *
   * @param target The target to connect to.
   * @param options The user's options.
   * @param means Its dependencies.
   */
  constructor(
    target: Target,
    options: ReconnectingOptions | undefined,
    means: ReconnectingMeans,
  ) {
    super();
    const core = this.#core = new ReconnectingCore(target, options, means);
    this.stream = core.incoming;
    this.sink = core.sink;
  }

  static {
    inspectAs(this.prototype, "ReconnectingChannel", ({ state, connection }) => {
      return { state: state.name, connection };
    });
  }

  get connection(): WebSocketChannel | null {
    return this.#core.connection;
  }

  get state(): ReconnectingState {
    return this.#core.state;
  }

  get states(): ChannelStream<ReconnectingState> {
    return this.#core.states;
  }

  get resumable(): boolean {
    return this.#core.resumable;
  }

  get protocol(): string | null {
    return this.#core.protocol;
  }

  get closed(): Promise<ReconnectingCloseInfo> {
    return this.#core.closed;
  }

  close(code?: number, reason?: string): Promise<void> {
    return this.#core.closeWith(code, reason);
  }

  reconnect(): boolean {
    return this.#core.reconnect();
  }

  override pipe(other: ChannelLike<MessageInput, Message>): Promise<void> {
    const parts = partsOf(other);
    Channel.checkParts(this, parts);
    return pipe<Message, MessageInput>(
      this,
      parts,
      (sink) => new PassingOn(sink, () => endUnasked(sink)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.close();
    } catch {
      // `closed` reports the error.
    }
  }
}
