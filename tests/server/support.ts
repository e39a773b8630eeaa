/** Helpers for tests of the server. */

import { assertEquals, assertFalse, assertStrictEquals } from "@std/assert";
import { deadline } from "@std/async";
import type { ServerWebSocketChannel, WebSocketServer } from "../../src/server/mod.ts";
import { jsonDocument } from "../../src/stream_channel/mod.ts";
import type { BindOptions } from "../../src/server/bind_options.ts";
import { bind } from "../../src/server/web_socket_server.ts";
import type { Clock } from "../../src/web_socket/clock.ts";
import { RawClient, SAMPLE_KEY } from "../support/recipe_clients.ts";

/** Runs a body against a server, and closes the server even if the body fails. */
export async function withServer(
  options: BindOptions & { clock?: Clock },
  body: (server: WebSocketServer) => Promise<void>,
): Promise<void> {
  const { clock, ...rest } = options;
  const server = await bind(rest, clock);
  try {
    await body(server);
  } catch (error) {
    // With a manual clock the close may never end, which would hide the failure.
    await deadline(server.close({ drainTimeout: 0 }), 5000).catch(() => {});
    throw error;
  }
  await server.close({ drainTimeout: 1000 });
}

/** The header lines of a correct request, by name. */
const CORRECT: Readonly<Record<string, string>> = {
  Host: "localhost",
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": SAMPLE_KEY,
  "Sec-WebSocket-Version": "13",
};

/** The text of a correct request with changes: `null` omits a field, a list repeats it. */
export function requestText(
  changes: Readonly<Record<string, string | null | readonly string[]>> = {},
  line = "GET / HTTP/1.1",
): string {
  const fields = Object.entries({ ...CORRECT, ...changes }).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().map((it) => `${name}: ${it}\r\n`)
  );
  return `${line}\r\n${fields.join("")}\r\n`;
}

/** Sends bytes to a server; returns the response's status and head after the server has ended TCP. */
export async function refusalOf(
  server: { readonly url: string },
  request: string,
): Promise<{ status: number; head: string; body: string }> {
  const client = new RawClient(server.url);
  client.socket.write(request);
  await client.response();
  await client.end();
  const { head } = client;
  const body = client.body.toString();
  await client.destroy();
  return { status: Number(head.split(" ")[1]), head, body };
}

/**
 * Checks that the server never answers a request behind a refused one, for each cause of refusal
 * that a server without `verify` has.
 *
 * @returns The number of requests sent.
 */
export async function assertNoSecond(server: { readonly url: string }): Promise<number> {
  const second = "GET /second HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const changes = [{}, { "Sec-WebSocket-Version": "777" }, { "Sec-WebSocket-Key": "x" }];
  for (const change of changes) {
    const { body } = await refusalOf(server, requestText(change) + second);
    assertFalse(body.includes("HTTP/1.1"), body);
  }
  return changes.length;
}

/** Fulfils with a client that has been upgraded. */
export async function upgraded(
  server: { readonly url: string },
  lines: string[] = [],
  path = "/",
): Promise<RawClient> {
  const client = new RawClient(server.url);
  client.request(path, lines);
  const head = await client.response();
  if (!head.startsWith("HTTP/1.1 101 ")) throw new Error(`Refused: ${head}`);
  return client;
}

/** The next channel of a server. */
export async function nextChannel(
  server: AsyncIterable<ServerWebSocketChannel>,
): Promise<ServerWebSocketChannel> {
  const { value, done } = await server[Symbol.asyncIterator]().next();
  if (done) throw new Error("The server is closed, a channel was expected");
  return value;
}

/** Checks that a transformed channel of a server has the request and the URL. */
export function assertKeepsRequest(channel: ServerWebSocketChannel, url: string): void {
  const texts = channel.transformStream(String).transformSink<string>((it) => it);
  const changed = texts.changeSink((sink) => sink).changeStream((stream) => stream);
  const json = changed.transform(jsonDocument);
  const all: ServerWebSocketChannel<unknown, never>[] = [channel, texts, changed, json];
  for (const it of [...all, json.cast<number>()]) {
    assertEquals(it.url, url);
    assertStrictEquals(it.request, channel.request);
    assertStrictEquals(it.closed, channel.closed);
  }
}
