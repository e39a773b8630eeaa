/** What tests of streams share: waiting without time, and recording a stream's events. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { ChannelStream, StreamSubscription } from "../../src/stream_channel/mod.ts";

/** Lets every microtask run that is due, and those that they plan. */
export async function microtasks(rounds = 20): Promise<void> {
  for (let i = 0; i < rounds; i++) await Promise.resolve();
}

/** Whether a promise settles without anything more happening. */
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

/** What {@linkcode record} gives. */
export interface Recording {
  /** The messages, `["error", error]`, and `"done"`, as they came. */
  readonly events: unknown[];
  readonly subscription: StreamSubscription;
}

/** Listens, and keeps all that comes. */
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
