import { type Pull, pullFrom } from "../stream_channel/add_stream.ts";
import { Deferred } from "../stream_channel/errors.ts";
import type { AddMessageOptions, MessageInput, MessageSource } from "./web_socket_sink.ts";

/** One message of the user's that is sent while its content comes: until its turn comes, nothing is pulled. */
export class OutgoingMessage {
  /** What the user waits for. */
  readonly done: Deferred = new Deferred();
  /** Where its content comes from. */
  readonly source: Pull<MessageInput>;
  /** How to send it. */
  readonly options: AddMessageOptions;

  /**
   * Takes the source.
   *
   * @param source Where its content comes from.
   * @param options Checked.
   */
  constructor(source: MessageSource, options: AddMessageOptions) {
    this.source = pullFrom<MessageInput>(source);
    this.options = options;
  }
}
