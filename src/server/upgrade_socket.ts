/**
 * The part of a connection that this package uses. The `upgrade` event of `node:http` passes it: a `node:net` or
 * `node:tls` socket, or any other duplex stream.
 */
export interface UpgradeSocket {
  /** The number of bytes queued for writing. */
  readonly writableLength: number;
  /** Whether the connection has ended. */
  readonly destroyed: boolean;
  /** Writes bytes. */
  write(chunk: Uint8Array, callback?: (error?: Error | null) => void): boolean;
  /** Ends the writable side. */
  end(): unknown;
  /** Ends the connection at once. */
  destroy(): unknown;
  /** Stops reading. */
  pause(): unknown;
  /** Resumes reading. */
  resume(): unknown;
  /** Returns what can be read now, or `null`. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  read(): any;
  /** Puts bytes back at the front of what is read. */
  unshift(chunk: Uint8Array): unknown;
  /** Buffers writes until `uncork`. */
  cork(): void;
  /** Writes what was buffered since `cork`. */
  uncork(): void;
  /** Adds a listener for `data`, `end`, `close`, `drain` or `error`. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  on(event: string, listener: (...args: any[]) => void): unknown;
  /**
   * Returns the number of listeners of an event. Without it, this package can't notice that another listener has taken
   * the connection.
   */
  listenerCount?(event: string): number;
  /** Removes a listener. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  removeListener(event: string, listener: (...args: any[]) => void): unknown;
}
