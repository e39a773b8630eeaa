import { type DiagnosticsListeners, subscribe } from "../diagnostics/subscribe.ts";
import type { Diagnostic } from "../diagnostics/diagnostics.ts";
import { printable } from "./printable.ts";
import type { Printer } from "./printer.ts";

const KINDS = ["connect", "open", "refused", "message", "close", "error"] as const;

/**
 * Prints the events of connections on the standard error.
 *
 * @returns Ends it.
 */
export function debug(printer: Printer): () => void {
  const listeners = Object.fromEntries(KINDS.map((kind) => [
    kind,
    (event: Diagnostic) => printer.note(printer.paint("dim", lineOf(kind, event))),
  ])) as DiagnosticsListeners;
  return subscribe(listeners);
}

function lineOf(kind: string, { connection, ...rest }: Diagnostic): string {
  const { id, side, transport, url } = connection;
  const facts = Object.entries(rest).map(([name, value]) => {
    const text = typeof value === "number" ? String(Math.round(value * 100) / 100) : value;
    return `${name}=${typeof text === "object" ? JSON.stringify(text) : text}`;
  });
  return printable(`debug: ${kind} ${side} ${id} ${transport} ${url} ${facts.join(" ")}`.trim());
}
