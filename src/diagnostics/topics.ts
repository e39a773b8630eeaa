import { builtinModule } from "../realm/builtin_module.ts";
import { rethrowLater } from "../stream_channel/errors.ts";
import type { Diagnostics } from "./diagnostics.ts";

/** The kind of an event: the last part of its channel's name. */
export type EventKind = keyof Diagnostics;

/** What is used of a channel of `node:diagnostics_channel`. */
interface Topic {
  readonly hasSubscribers: boolean;
  publish(event: unknown): void;
}

/** Called with each event; the name is that of the channel. */
export type TopicListener = (event: unknown, name: string | symbol) => void;

/** What is used of `node:diagnostics_channel`. */
export interface DiagnosticsModule {
  channel(name: string): Topic;
  subscribe(name: string, listener: TopicListener): void;
  unsubscribe(name: string, listener: TopicListener): boolean;
}

/** The kinds of events. */
export const EVENT_KINDS: readonly EventKind[] = [
  "connect",
  "open",
  "refused",
  "message",
  "close",
  "error",
];

/**
 * The name of the channel of `node:diagnostics_channel` that a kind of event is published on.
 *
 * @param kind The kind, such as `"open"`.
 * @returns The name, such as `"web-socket-channel:open"`.
 */
export function topicName(kind: EventKind): string {
  return `web-socket-channel:${kind}`;
}

/** `node:diagnostics_channel`, or `null` where the platform has none. */
export function diagnosticsModule(): DiagnosticsModule | null {
  return builtinModule<DiagnosticsModule>("diagnostics_channel");
}

// They are kept: a channel that nothing refers to may be forgotten.
let topics: Readonly<Record<EventKind, Topic>> | null | undefined;

function allTopics(): Readonly<Record<EventKind, Topic>> | null {
  if (topics !== undefined) return topics;
  const module = diagnosticsModule();
  topics = module === null ? null : Object.fromEntries(
    EVENT_KINDS.map((kind) => [kind, module.channel(topicName(kind))]),
  ) as Record<EventKind, Topic>;
  return topics;
}

/** Whether anything subscribes to any of the events. */
export function isObserved(): boolean {
  const all = allTopics();
  if (all === null) return false;
  const { connect, open, refused, message, close, error } = all;
  return message.hasSubscribers || connect.hasSubscribers || open.hasSubscribers ||
    close.hasSubscribers || error.hasSubscribers || refused.hasSubscribers;
}

/** Whether anything subscribes to a kind of event. */
export function hasSubscribers(kind: EventKind): boolean {
  return allTopics()?.[kind].hasSubscribers === true;
}

/** Publishes an event. What a subscriber throws reaches the platform's handler of uncaught errors. */
export function publish<Kind extends EventKind>(kind: Kind, event: Diagnostics[Kind]): void {
  try {
    allTopics()?.[kind].publish(event);
  } catch (error) {
    rethrowLater(error);
  }
}
