// A span for each connection, with OpenTelemetry. The opening handshake carries the trace.

import {
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { type DiagnosedConnection, subscribe } from "@web-socket/channel/diagnostics";

/** Call this before the first connection. Call the returned function to stop. */
export function traceConnections(): () => void {
  const tracer = trace.getTracer("web-socket-channel");
  const spans = new WeakMap<DiagnosedConnection, Span>();
  const fail = (span: Span | undefined, message: string): void =>
    void span?.setStatus({ code: SpanStatusCode.ERROR, message });
  return subscribe({
    connect({ connection, trace: carrier }) {
      const isServer = connection.side === "server";
      const kind = isServer ? SpanKind.SERVER : SpanKind.CLIENT;
      // A server continues the client's trace. A client continues the trace of its caller.
      const parent = isServer ? propagation.extract(context.active(), carrier) : context.active();
      const attributes = { "url.full": connection.url };
      const span = tracer.startSpan(`websocket ${connection.side}`, { kind, attributes }, parent);
      spans.set(connection, span);
      if (!isServer) propagation.inject(trace.setSpan(parent, span), carrier);
    },
    open: ({ connection }) => void spans.get(connection)?.addEvent("open"),
    refused({ connection, status }) {
      const span = spans.get(connection);
      span?.setAttribute("http.response.status_code", status);
      fail(span, `refused with ${status}`);
      span?.end();
    },
    error({ connection, name, wasOpen }) {
      const span = spans.get(connection);
      fail(span, name);
      if (!wasOpen) span?.end();
    },
    close({ connection, code }) {
      spans.get(connection)?.setAttribute("websocket.close_code", code).end();
    },
  });
}
