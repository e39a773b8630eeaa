/** The programs of the guide with the real packages of OpenTelemetry and prom-client. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { Registry } from "prom-client";
import { traceConnections } from "../../examples/open_telemetry.ts";
import { countConnections } from "../../examples/prometheus.ts";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { nextChannel, withServer } from "../server/support.ts";

Deno.test("W20 OpenTelemetry: the server's span is a child of the client's", async () => {
  const exporter = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
  );
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const stop = traceConnections();
  try {
    await withServer({ verify: ({ url }) => url.pathname !== "/no" }, async (server) => {
      const client = NetWebSocketChannel.connect(`${server.url}/room`);
      const channel = await nextChannel(server);
      await client.ready;
      await client.sink.close(1000);
      await channel.closed;
      await NetWebSocketChannel.connect(`${server.url}/no`).closed;
    });
  } finally {
    stop();
    trace.disable();
    propagation.disable();
  }
  const spans = exporter.getFinishedSpans();
  const of = (kind: SpanKind, path: string) =>
    spans.find((it) => it.kind === kind && `${it.attributes["url.full"]}`.endsWith(path));
  const client = of(SpanKind.CLIENT, "/room");
  const server = of(SpanKind.SERVER, "/room");
  assertEquals(spans.length, 4);
  assertEquals(server?.spanContext().traceId, client?.spanContext().traceId);
  assertEquals(server?.parentSpanContext?.spanId, client?.spanContext().spanId);
  assertEquals(client?.attributes["websocket.close_code"], 1000);
  assertEquals(client?.events.map(({ name }) => name), ["open"]);
  const refused = of(SpanKind.CLIENT, "/no");
  assertEquals(refused?.attributes["http.response.status_code"], 403);
  assertEquals(refused?.status.code, SpanStatusCode.ERROR);
});

Deno.test("W19 Prometheus: counts connections, messages and bytes", async () => {
  const registry = new Registry();
  const stop = countConnections(registry);
  try {
    await withServer({ verify: ({ url }) => url.pathname !== "/no" }, async (server) => {
      await NetWebSocketChannel.connect(`${server.url}/no`).closed;
      const broken = NetWebSocketChannel.connect(server.url);
      const lost = await nextChannel(server);
      await broken.ready;
      broken.terminate();
      await Promise.all([broken.closed, lost.closed]);
      const client = NetWebSocketChannel.connect(server.url);
      const channel = await nextChannel(server);
      client.sink.add("hello");
      await channel.stream.next();
      const whileOpen = await registry.metrics();
      assertStringIncludes(whileOpen, 'websocket_connections{side="server"} 1');
      await client.sink.close(1000);
      await channel.closed;
    });
  } finally {
    stop();
  }
  const text = await registry.metrics();
  for (
    const line of [
      'websocket_connections{side="server"} 0',
      'websocket_connections{side="client"} 0',
      'websocket_messages_total{side="client",direction="sent",kind="text"} 1',
      'websocket_messages_total{side="server",direction="received",kind="text"} 1',
      'websocket_message_bytes_total{side="client",direction="sent"} 5',
      'websocket_connection_seconds_count{side="server"} 2',
    ]
  ) assertStringIncludes(text, line);
  // Each failure counts once for each side.
  const failures = text.split("\n").filter((it) => it.startsWith("websocket_connections_failed"));
  const sides = failures.map((it) => /side="(\w+)",why="(\w+)"\} (\d+)/.exec(it)?.slice(1));
  const expected = ["client,403,1", "server,403,1", "server,WebSocketChannelError,1"];
  assertEquals(sides.map(String).sort(), expected);
});
