/**
 * What is used of the connection that `node:http`'s `upgrade` event gives: a `node:net` or
 * `node:tls` socket, or any other duplex stream.
 */
export interface UpgradeSocket {
  /** How many bytes wait to be written. */
  readonly writableLength: number;
  /** Whether it has ended. */
  readonly destroyed: boolean;
  /** Writes bytes. */
  write(chunk: Uint8Array, callback?: (error?: Error | null) => void): boolean;
  /** Ends the writing half. */
  end(): unknown;
  /** Ends it at once. */
  destroy(): unknown;
  /** Stops reading. */
  pause(): unknown;
  /** Reads again. */
  resume(): unknown;
  /** What is there to read, or `null`. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  read(): any;
  /** Puts bytes back, to be read first. */
  unshift(chunk: Uint8Array): unknown;
  /** Holds writes back. */
  cork(): void;
  /** Lets them go. */
  uncork(): void;
  /** Listens to `data`, `end`, `close`, `drain` and `error`. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  on(event: string, listener: (...args: any[]) => void): unknown;
  /** How many listeners an event has. Without it nothing tells whether another one has taken the connection. */
  listenerCount?(event: string): number;
  /** Stops listening. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  removeListener(event: string, listener: (...args: any[]) => void): unknown;
}
