/**
 * One end of HTTP/2. `serve IDENTITY` listens on two ports, plain and TLS, and echoes. `ask IDENTITY URL…` sends 1 MiB to each URL on two
 * channels of one session, and prints the echoes. `leave IDENTITY URL…` terminates many channels; only its pool keeps the process alive.
 */

import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { acceptStreams, Http2, Http2Pool } from "../../../src/http2/mod.ts";
import { type ServerWebSocketChannel, WebSocketServer } from "../../../src/server/mod.ts";
import { turn } from "../../support/turns.ts";

const [command, given = "{}", ...urls] = process.argv.slice(2);
/** `cert` and `key` of the server, and the `ca` of both. */
const identity = JSON.parse(given);
const SIZE = 1 << 20;

function echo(channel: ServerWebSocketChannel): void {
  channel.stream.listen((message) => channel.sink.add(message));
}

async function serve(): Promise<void> {
  const { cert, key } = identity;
  const secure = await WebSocketServer.bind({ tls: { cert, key }, http2: true, handler: echo });
  const plain = createServer();
  acceptStreams(plain, { handler: echo });
  plain.listen(0, "127.0.0.1", () => {
    const { port } = plain.address() as AddressInfo;
    console.log(`listening at ws://127.0.0.1:${port} ${secure.url}`);
  });
}

async function ask(url: string): Promise<string> {
  const pool = new Http2Pool();
  const options = url.startsWith("wss:") ? { pool, tls: { ca: identity.ca } } : { pool };
  const channels = await Promise.all([Http2.open(url, options), Http2.open(url, options)]);
  const sent = new Uint8Array(SIZE).map((_, i) => i * 31 >> 3);
  const echoes = channels.map(async ({ sink, stream }) => {
    sink.add(sent);
    const { value } = await stream.next();
    return value instanceof Uint8Array && value.length === SIZE &&
      value.every((byte, i) => byte === sent[i]);
  });
  const isSame = (await Promise.all(echoes)).every((it) => it);
  const { sessions } = pool;
  await channels[0]?.sink.close(1000, "done");
  const { code, wasClean } = await channels[0]!.closed;
  await channels[1]?.sink.close();
  await pool.close();
  return JSON.stringify({ isSame, sessions, code, wasClean, left: pool.sessions });
}

async function leave(url: string): Promise<number> {
  const options = url.startsWith("wss:") ? { tls: { ca: identity.ca } } : {};
  let left = 0;
  for (let round = 0; round < 4; round++) {
    const pool = new Http2Pool();
    const opening = Array.from({ length: 25 }, () => Http2.open(url, { ...options, pool }));
    const channels = await Promise.all(opening);
    const message = new Uint8Array(65_536);
    for (let i = 0; i < 3; i++) for (const { sink } of channels) sink.add(message);
    await turn();
    for (const channel of channels) channel.terminate();
    await pool.close();
    left += pool.sessions;
  }
  return left;
}

if (command === "serve") await serve();
else if (command === "leave") {
  for (const url of urls) console.log(`${url.split(":")[0]} ${await leave(url)}`);
} else {
  for (const url of urls) console.log(`${url.split(":")[0]} ${await ask(url)}`);
}
