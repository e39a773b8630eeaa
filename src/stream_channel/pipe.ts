import { type ChannelParts, closeQuietly, tellOfError } from "./channel_like.ts";
import type { ChannelSink } from "./channel_sink.ts";
import type { ChannelStream, StreamSubscription } from "./channel_stream.ts";
import { Deferred } from "./promises.ts";
import { ignore, preHandled } from "./errors.ts";

/** Connects two channels, as {@linkcode StreamChannel.pipe} does. */
export function pipe<In, Out>(
  one: ChannelParts<In, Out>,
  other: ChannelParts<Out, In>,
): Promise<void> {
  const giveUp = new AbortController();
  const { signal } = giveUp;
  const there = pipeOneWay(one.stream, other.sink, { signal });
  try {
    const back = pipeOneWay(other.stream, one.sink, { signal });
    return preHandled(
      Promise.all([there, back]).then(ignore, (error) => {
        giveUp.abort();
        endWith(error, one.sink);
        endWith(error, other.sink);
        throw error;
      }),
    );
  } catch (error) {
    giveUp.abort();
    throw error;
  }
}

/** Ends a sink because of an error, also one that forwards errors and goes on. */
function endWith(error: unknown, sink: ChannelSink<never>): void {
  tellOfError(sink, error);
  closeQuietly(sink);
}

/** Options of {@linkcode pipeOneWay}. */
export interface PipeOptions {
  /** When it fulfils, room isn't waited for any more. */
  readonly hurry?: Promise<void>;
  /** When it aborts, nothing more is taken from the stream. */
  readonly signal?: AbortSignal;
}

/**
 * Adds all that a stream gives to a sink, in the same call in which it comes, while there is room;
 * closes the sink at the end.
 *
 * @returns A promise that fulfils when the sink is done and nothing was dropped; it rejects with the
 * first error of either, or with that of a loss.
 */
export function pipeOneWay<T>(
  stream: ChannelStream<T>,
  sink: ChannelSink<T>,
  { hurry, signal }: PipeOptions = {},
): Promise<void> {
  const { promise, resolve, reject } = new Deferred();
  let hurries = false;
  const fail = (error: unknown): void => {
    reject(error);
    tellOfError(sink, error);
  };
  const subscription: StreamSubscription = stream.listen((value) => {
    try {
      // Dropped: why, the sink's `flush` tells when it is done.
      if (!sink.add(value)) return subscription.cancel();
    } catch (error) {
      fail(error);
      return subscription.cancel();
    }
    if (!hurries) waitForRoom(sink, subscription);
  }, {
    onError: fail,
    // What comes of it is `done`'s, below.
    onDone: () => closeQuietly(sink),
    signal,
  });
  hurry?.then(() => {
    hurries = true;
    subscription.resume();
  });
  const stop = (): void => subscription.cancel();
  sink.done.then(() => sink.flush()).then(resolve, reject);
  sink.done.then(stop, stop);
  return promise;
}

function waitForRoom(sink: ChannelSink<never>, subscription: StreamSubscription): void {
  if (sink.hasRoom) return;
  subscription.pause();
  sink.ready.then(() => subscription.resume());
}
