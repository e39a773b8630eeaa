/** Shared code of the tests of streams: waiting without timers, and recording a stream's events. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { ChannelStream, StreamSubscription } from "../../src/stream_channel/mod.ts";

/** Waits until every pending microtask has run, and those that they queue. */
export async function microtasks(rounds = 20): Promise<void> {
  for (let i = 0; i < rounds; i++) await Promise.resolve();
}

/** Whether a promise settles by microtasks alone. */
export async function settled(promise: Promise<unknown>): Promise<boolean> {
  let is = false;
  promise.then(() => is = true, () => is = true);
  await microtasks();
  return is;
}

/** The next message of a channel; a failure when its stream has ended. */
export async function nextMessage<T>(channel: { readonly stream: ChannelStream<T> }): Promise<T> {
  const result = await channel.stream.next();
  if (result.done) throw new Error("The stream ended, a message was expected");
  return result.value;
}

/** The result of {@linkcode record}. */
export interface Recording {
  /** The messages, `["error", error]` and `"done"`, in order of arrival. */
  readonly events: unknown[];
  readonly subscription: StreamSubscription;
}

/** Listens to a stream, and records every event. */
export function record(stream: ChannelStream<unknown>): Recording {
  const events: unknown[] = [];
  const subscription = stream.listen((value) => events.push(value), {
    onError: (error) => events.push(["error", error]),
    onDone: () => events.push("done"),
  });
  return { events, subscription };
}

/** Asserts that `action` throws an InvalidStateError. */
export function assertInvalidState(action: () => unknown): void {
  assertEquals(assertThrows(action, DOMException).name, "InvalidStateError");
}

/** Expects an `InvalidStateError` from a promise. */
export async function assertRejectsInvalidState(promise: Promise<unknown>): Promise<void> {
  assertEquals((await assertRejects(() => promise, DOMException)).name, "InvalidStateError");
}

/** A signal that counts its listeners. */
export function countingSignal(): {
  controller: AbortController;
  signal: AbortSignal;
  count: () => number;
} {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Set<unknown>();
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners.add(args[1]);
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners.delete(args[1]);
    removeEventListener.apply(signal, args);
  };
  return { controller, signal, count: () => listeners.size };
}
