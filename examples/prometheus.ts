// Counters of connections and messages, with prom-client, for Prometheus.

import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { subscribe } from "@web-socket/channel/diagnostics";

/** Call this once for each registry, before the first connection. Call the returned function to stop. */
export function countConnections(registry: Registry): () => void {
  const registers = [registry];
  const open = new Gauge({
    name: "websocket_connections",
    help: "Open connections",
    labelNames: ["side"],
    registers,
  });
  const failed = new Counter({
    name: "websocket_connections_failed_total",
    help: "Connections that were refused, could not be opened, or ended with an error",
    labelNames: ["side", "why"],
    registers,
  });
  const messages = new Counter({
    name: "websocket_messages_total",
    help: "Messages",
    labelNames: ["side", "direction", "kind"],
    registers,
  });
  const bytes = new Counter({
    name: "websocket_message_bytes_total",
    help: "Payload of messages, uncompressed",
    labelNames: ["side", "direction"],
    registers,
  });
  const durations = new Histogram({
    name: "websocket_connection_seconds",
    help: "How long connections were open",
    labelNames: ["side"],
    buckets: [0.1, 1, 10, 60, 600, 3600, 86_400],
    registers,
  });
  return subscribe({
    open: ({ connection: { side } }) => open.inc({ side }),
    close({ connection: { side }, duration }) {
      open.dec({ side });
      durations.observe({ side }, duration / 1000);
    },
    refused: ({ connection: { side }, status }) => failed.inc({ side, why: String(status) }),
    error: ({ connection: { side }, name }) => failed.inc({ side, why: name }),
    message({ connection: { side }, direction, kind, size }) {
      messages.inc({ side, direction, kind });
      bytes.inc({ side, direction }, size);
    },
  });
}
