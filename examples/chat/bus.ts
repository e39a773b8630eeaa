// What joins the chat's servers: the one below for a single process, redis_bus.ts for several.

import type { Said } from "./messages.ts";

/** What one server tells the others, itself included. */
export type ChatEvent =
  | { readonly kind: "said"; readonly said: Said }
  | { readonly kind: "typing"; readonly name: string; readonly is: boolean }
  | { readonly kind: "people"; readonly server: string; readonly names: readonly string[] }
  /** A server is new: all tell who is with them. */
  | { readonly kind: "hello" };

/** Carries events to all servers, and keeps what was said. */
export interface Bus {
  /** Tells all servers, in one order for all of them. */
  publish(event: ChatEvent): Promise<void>;
  /** Calls back for each event from now on. */
  subscribe(callback: (event: ChatEvent) => void): Promise<void>;
  /** The last things that were said, the oldest first. */
  history(): Promise<Said[]>;
  /** A number that no other name has. */
  nextGuest(): Promise<number>;
  close(): Promise<void>;
}

/** How many of the last things that were said are kept. */
export const HISTORY = 100;

/** A bus within one process. */
export function localBus(): Bus {
  const callbacks = new Set<(event: ChatEvent) => void>();
  const said: Said[] = [];
  let guests = 0;
  return {
    publish(event) {
      if (event.kind === "said" && said.push(event.said) > HISTORY) said.shift();
      for (const callback of callbacks) callback(event);
      return Promise.resolve();
    },
    subscribe(callback) {
      callbacks.add(callback);
      return Promise.resolve();
    },
    history: () => Promise.resolve([...said]),
    nextGuest: () => Promise.resolve(++guests),
    close: () => Promise.resolve(),
  };
}
