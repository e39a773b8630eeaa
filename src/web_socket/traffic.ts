/** What has passed one way. */
export interface Flow {
  /** Messages of users. */
  messages: number;
  /** Bytes behind the opening handshake, frame headers and control frames included, as they were on the wire. */
  bytes: number;
}

/**
 * What has passed over all connections of a server: one object, so that counting costs next to nothing, however
 * many connections there are.
 */
export class Traffic {
  /** What was received. */
  readonly received: Flow = { messages: 0, bytes: 0 };
  /** What was sent: what the connections took. */
  readonly sent: Flow = { messages: 0, bytes: 0 };
}
