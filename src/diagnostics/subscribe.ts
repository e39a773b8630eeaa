import { type OptionKinds, readOptions } from "../stream_channel/options.ts";
import { UnsupportedError } from "../web_socket/errors.ts";
import { platform } from "../web_socket/platform.ts";
import type { Diagnostics } from "./diagnostics.ts";
import { diagnosticsModule, EVENT_KINDS, type EventKind, topicName } from "./topics.ts";

/** A function for each kind of event; those left out aren't subscribed to. */
export type DiagnosticsListeners = {
  readonly [Kind in EventKind]?: ((event: Diagnostics[Kind]) => void) | undefined;
};

const LISTENER_KINDS: OptionKinds<DiagnosticsListeners> = {
  connect: "function",
  open: "function",
  refused: "function",
  message: "function",
  close: "function",
  error: "function",
};

/**
 * Subscribes to events of connections that begin from now on.
 *
 * A listener is called synchronously. One that throws does no harm to the connection: as with any subscriber of
 * `node:diagnostics_channel`, its error reaches the platform's handler of uncaught errors.
 *
 * @param listeners What to call, by the kind of event.
 * @returns A function that ends the subscription; a second call does nothing.
 * @throws {TypeError} When a kind is unknown, or its listener is no function.
 * @throws {UnsupportedError} Where the platform has no `node:diagnostics_channel`.
 *
 * @example
 * ```ts
 * import { subscribe } from "@web-socket/channel/diagnostics";
 * import { WebSocketServer } from "@web-socket/channel/server";
 *
 * const unsubscribe = subscribe({
 *   open: ({ connection, duration }) => console.log(connection.url, "open after", duration, "ms"),
 *   close: ({ connection, code }) => console.log(connection.url, "closed with", code),
 * });
 * const server = await WebSocketServer.bind();
 * await server.close();
 * unsubscribe();
 * ```
 */
export function subscribe(listeners: DiagnosticsListeners): () => void {
  const read = readOptions(listeners, LISTENER_KINDS);
  const module = diagnosticsModule();
  if (module === null) throw new UnsupportedError("diagnostics_channel", platform());
  const subscribed = EVENT_KINDS.flatMap((kind) => {
    const listener = read[kind] as ((event: unknown) => void) | undefined;
    if (listener === undefined) return [];
    const name = topicName(kind);
    // One of its own: the same function may be subscribed twice.
    const call = (event: unknown): void => listener(event);
    module.subscribe(name, call);
    return [() => void module.unsubscribe(name, call)];
  });
  return () => {
    for (const end of subscribed.splice(0)) end();
  };
}
