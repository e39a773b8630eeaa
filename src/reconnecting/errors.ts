import { WebSocketChannelError } from "../web_socket/errors.ts";

/** A message was refused: so many bytes wait for a connection already that no more are taken. */
export class QueueFullError extends WebSocketChannelError {
  /** `"QueueFullError"`, also in minified code. */
  override readonly name = "QueueFullError";
  /** The limit, in bytes: the option `maxBuffer`. */
  readonly limit: number;

  /**
   * Creates the error.
   *
   * @param limit The limit, in bytes.
   */
  constructor(limit: number) {
    super(
      `Cannot add: the messages that wait exceed maxBuffer (${limit} bytes). Wait for sink.ready`,
    );
    this.limit = limit;
  }
}
