import { type ChannelParts, closeQuietly, tellOfError } from "./channel_like.ts";
import { type ChannelSink, ROOM } from "./channel_sink.ts";
import type { ChannelStream, StreamSubscription } from "./channel_stream.ts";
import { Deferred } from "./deferred.ts";
import { preHandled } from "./errors.ts";

/** Connects two channels, as {@linkcode StreamChannel.pipe} does. */
export function pipe<In, Out>(
  one: ChannelParts<In, Out>,
  other: ChannelParts<Out, In>,
): Promise<void> {
  const giveUp = new AbortController();
  const there = pipeOneWay(one.stream, other.sink, { signal: giveUp.signal });
  try {
    return preHandled(both(there, pipeOneWay(other.stream, one.sink)));
  } catch (error) {
    giveUp.abort();
    throw error;
  }
}

/** Options of {@linkcode pipeOneWay}. */
export interface PipeOptions {
  /** When it fulfils, room isn't waited for any more. */
  readonly hurry?: Promise<void>;
  /** When it aborts, nothing more is taken from the stream. */
  readonly signal?: AbortSignal;
}

/** Waits for both, also where the first one fails. */
async function both(first: Promise<void>, second: Promise<void>): Promise<void> {
  for (const result of await Promise.allSettled([first, second])) {
    if (result.status === "rejected") throw result.reason;
  }
}

/**
 * Adds all that a stream gives to a sink, in the same call in which it comes, while there is room;
 * closes the sink at the end.
 */
export function pipeOneWay<T>(
  stream: ChannelStream<T>,
  sink: ChannelSink<T>,
  { hurry, signal }: PipeOptions = {},
): Promise<void> {
  const { promise, resolve, reject } = new Deferred();
  let hurries = false;
  let failure: { error: unknown } | null = null;
  const stop = (): void => {
    subscription.cancel();
    if (failure === null) resolve();
    else reject(failure.error);
  };
  const fail = (error: unknown): void => {
    failure ??= { error };
    tellOfError(sink, error);
  };
  const subscription: StreamSubscription = stream.listen((value) => {
    try {
      if (!sink.add(value)) return stop();
    } catch (error) {
      fail(error);
      return stop();
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
  sink.done.then(stop, (error) => {
    failure ??= { error };
    stop();
  });
  return promise;
}

function waitForRoom(sink: ChannelSink<never>, subscription: StreamSubscription): void {
  const room = sink.ready;
  if (room === ROOM) return;
  subscription.pause();
  room.then(() => subscription.resume());
}
