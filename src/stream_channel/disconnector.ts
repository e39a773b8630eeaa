import { type ChannelLike, partsOf } from "./channel_like.ts";
import { Deferred, ignore, preHandled } from "./errors.ts";
import { type OptionKinds, readOptions } from "./options.ts";
import { Relay } from "./relay.ts";
import {
  type ChannelTransformer,
  DelegatingStreamChannel,
  type StreamChannel,
} from "./stream_channel.ts";

/** Options of a {@linkcode Disconnector}. */
export interface DisconnectorOptions {
  /**
   * Disconnects all channels when it aborts. The disconnector listens to it only while it has an open
   * channel.
   */
  signal?: AbortSignal | undefined;
}

const KINDS: OptionKinds<DisconnectorOptions> = { signal: "AbortSignal" };

/**
 * A transformer that can disconnect all of its channels at once, as if their other ends had left. It both takes and
 * provides an `AbortSignal`. Corresponds to Dart's `Disconnector`.
 *
 * @example
 * ```ts
 * import { channelPair, Disconnector } from "@web-socket/channel/stream-channel";
 *
 * const disconnector = new Disconnector<string>();
 * const { local, foreign } = channelPair<string>();
 * const channel = local.transform(disconnector);
 * await disconnector.disconnect();
 * console.log((await channel.stream.next()).done, channel.sink.add("late")); // true false
 * console.log((await foreign.stream.next()).done); // true
 * ```
 */
export class Disconnector<In, Out = In> implements ChannelTransformer<In, Out, In, Out> {
  readonly #signal: AbortSignal | undefined;
  readonly #controller = new AbortController();
  readonly #channels = new Set<Relay<In, Out>>();
  readonly #onAbort = (): void => void this.disconnect(this.#signal?.reason);
  #disconnected: Promise<void> | null = null;
  #ownSignal: AbortSignal | null = null;

  /**
   * Creates a switch that is on.
   *
   * @param options A signal that disconnects all channels.
   */
  constructor(options?: DisconnectorOptions) {
    this.#signal = readOptions(options, KINDS).signal;
    if (this.#signal?.aborted) this.#onAbort();
  }

  /** Whether {@linkcode disconnect} was called, or the signal has aborted. */
  get isDisconnected(): boolean {
    return this.#disconnected !== null || this.#signal?.aborted === true;
  }

  /** Aborts when {@linkcode disconnect} is called, or the given signal aborts. */
  get signal(): AbortSignal {
    return this.#ownSignal ??= this.#signalOfBoth();
  }

  #signalOfBoth(): AbortSignal {
    const { signal } = this.#controller;
    const given = this.#signal;
    if (given === undefined || this.#disconnected !== null) return signal;
    try {
      // The platform releases the signal when it is no longer used.
      return AbortSignal.any([given, signal]);
    } catch {
      // The signal is from another realm.
      given.addEventListener("abort", this.#onAbort.bind(null), { once: true });
      return signal;
    }
  }

  /**
   * Disconnects all channels, including those that are transformed later. Their streams end at once, their
   * sinks drop values, and their inner sinks are closed, which notifies the other ends.
   *
   * @param reason The abort reason of {@linkcode signal}. Default: an `AbortError`.
   * @returns A promise, the same on each call. It fulfils when all inner sinks are closed, or rejects with
   * the first error of one. An unhandled rejection is harmless.
   */
  disconnect(reason?: unknown): Promise<void> {
    if (this.#disconnected !== null) return this.#disconnected;
    const { promise, resolve, reject } = new Deferred();
    // This comes first: a listener that is notified of the end may transform a channel, or call this again.
    this.#disconnected = promise;
    this.#unwatch();
    const closed = [...this.#channels].map((channel) => preHandled(channel.disconnect()));
    this.#channels.clear();
    Promise.all(closed).then(() => resolve(), reject);
    this.#controller.abort(reason);
    return promise;
  }

  /**
   * Returns a channel with this switch. If the switch is off, the channel is disconnected at once.
   *
   * @param channel The inner channel. The switch takes its right to read.
   * @returns The channel to use.
   * @throws {DOMException} `InvalidStateError` if the channel's stream has a reader.
   */
  transformChannel(channel: ChannelLike<In, Out>): StreamChannel<In, Out> {
    const relay = new Relay<In, Out>(partsOf(channel));
    if (this.isDisconnected) relay.disconnect().catch(ignore);
    else this.#watch(relay);
    return new DelegatingStreamChannel(relay);
  }

  /** Listens to the signal while there is a channel, because the signal may exist for long. */
  #watch(relay: Relay<In, Out>): void {
    if (this.#channels.size === 0) {
      this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
    }
    this.#channels.add(relay);
    const forget = (): void => {
      this.#channels.delete(relay);
      if (this.#channels.size === 0) this.#unwatch();
    };
    relay.sink.done.then(forget, forget);
  }

  #unwatch(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
  }
}
