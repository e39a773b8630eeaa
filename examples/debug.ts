// Prints the events of connections if the environment variable WSC_DEBUG is 1. Import it first.

import { type Diagnostic, subscribe } from "@web-socket/channel/diagnostics";

function print(kind: string, { connection, ...facts }: Diagnostic): void {
  const { side, id, url } = connection;
  console.error(`debug: ${kind} ${side} ${id} ${url} ${JSON.stringify(facts)}`);
}

if (globalThis.process.env["WSC_DEBUG"] === "1") {
  subscribe({
    connect: (event) => print("connect", event),
    open: (event) => print("open", event),
    refused: (event) => print("refused", event),
    message: (event) => print("message", event),
    close: (event) => print("close", event),
    error: (event) => print("error", event),
  });
}
