/** Shared code of the tests of diagnostics. */

import { type Diagnostics, type EventKind, subscribe } from "../../src/diagnostics/mod.ts";

/** An event, with its kind. */
export type Recorded = {
  [Kind in EventKind]: { readonly on: Kind; readonly event: Diagnostics[Kind] };
}[EventKind];

const KINDS = ["connect", "open", "refused", "message", "close", "error"] as const;

/** Records all events while a body runs. */
export async function recorded(
  body: (events: readonly Recorded[]) => Promise<void>,
): Promise<Recorded[]> {
  const events: Recorded[] = [];
  const listeners = Object.fromEntries(
    KINDS.map((on) => [on, (event: unknown) => void events.push({ on, event } as Recorded)]),
  );
  const end = subscribe(listeners);
  try {
    await body(events);
  } finally {
    end();
  }
  return events;
}

/** The events of one side, each as a line without the values that differ between runs. */
export function linesOf(events: readonly Recorded[], side: "client" | "server"): string[] {
  return events.filter(({ event }) => event.connection.side === side).map(lineOf);
}

function lineOf(it: Recorded): string {
  switch (it.on) {
    case "message":
      return `${it.event.direction} ${it.event.kind} ${it.event.size}`;
    case "close":
      return `close ${it.event.code} ${it.event.wasClean} ${it.event.initiator}`;
    case "refused":
      return `refused ${it.event.status} ${it.event.reason}`;
    case "error":
      return `error ${it.event.name}`;
    default:
      return it.on;
  }
}
