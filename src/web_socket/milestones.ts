import { Deferred } from "../stream_channel/deferred.ts";
import type { CloseInfo } from "./close_info.ts";

/**
 * The two promises of a channel: that it is open, and that it is over. They are made when they are
 * asked for, which may be after the event.
 */
export class Milestones {
  #ready: Deferred | null = null;
  #closed: Deferred<CloseInfo> | null = null;
  #isOpened = false;
  #failure: { readonly error: unknown } | null = null;
  #info: CloseInfo | null = null;

  /** See {@linkcode WebSocketChannel.ready}. */
  get ready(): Promise<void> {
    if (this.#ready === null) {
      this.#ready = new Deferred();
      if (this.#isOpened) this.#ready.resolve();
      if (this.#failure !== null) this.#ready.reject(this.#failure.error);
    }
    return this.#ready.promise;
  }

  /** See {@linkcode WebSocketChannel.closed}. */
  get closed(): Promise<CloseInfo> {
    if (this.#closed === null) {
      this.#closed = new Deferred<CloseInfo>();
      if (this.#info !== null) this.#closed.resolve(this.#info);
    }
    return this.#closed.promise;
  }

  /** The channel is open. */
  opened(): void {
    this.#isOpened = true;
    this.#ready?.resolve();
  }

  /** The channel won't ever be open. */
  failed(error: unknown): void {
    this.#failure = { error };
    this.#ready?.reject(error);
  }

  /** All is over. */
  ended(info: CloseInfo): void {
    this.#info = info;
    this.#closed?.resolve(info);
  }
}
