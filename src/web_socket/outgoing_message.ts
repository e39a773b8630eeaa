import { type Pull, pullFrom } from "../stream_channel/add_stream.ts";
import { Deferred } from "../stream_channel/errors.ts";
import type { AddMessageOptions, MessageInput, MessageSource } from "./web_socket_sink.ts";

/**
 * A message of the user that is sent while its content arrives. Nothing is read from its source before its
 * turn.
 */
export class OutgoingMessage {
  /** The promise that the user waits for. */
  readonly done: Deferred = new Deferred();
  /** The source of its content. */
  readonly source: Pull<MessageInput>;
  /** How to send it. */
  readonly options: AddMessageOptions;

  /**
   * Creates a message that is not sent yet.
   *
   * @param source The source of its content.
   * @param options Checked options.
   */
  constructor(source: MessageSource, options: AddMessageOptions) {
    this.source = pullFrom<MessageInput>(source);
    this.options = options;
  }
}
