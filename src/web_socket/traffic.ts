/** The traffic in one direction. */
export interface Flow {
  /** The number of messages of users. */
  messages: number;
  /**
   * The number of bytes on the wire after the opening handshake, including frame headers and control frames.
   */
  bytes: number;
}

/**
 * The traffic of all connections of a server. They share one object, so counting costs little, whatever their
 * number.
 */
export class Traffic {
  /** The received traffic. */
  readonly received: Flow = { messages: 0, bytes: 0 };
  /** The sent traffic, which the connections have taken. */
  readonly sent: Flow = { messages: 0, bytes: 0 };
}
