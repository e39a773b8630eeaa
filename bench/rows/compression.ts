/** Messages that are compressed both ways. */

import { type AddressInfo, connect, createServer } from "node:net";
import { type ClientName, connectClient } from "../clients.ts";
import { echoing } from "../load.ts";
import { type Contender, type Effort, measureAll } from "../measure.ts";
import type { Result, Row } from "../row.ts";
import type { ServerName } from "../servers.ts";
import { type RowHead, rowOf, Servers } from "./section.ts";

const PAIRS: readonly (readonly [ClientName, ServerName])[] = [
  ["ours", "ours, compression"],
  ["ws", "ws, compression"],
];

/** JSON as programs send it. */
function document(size: number): string {
  let text = "";
  for (let i = 0; text.length < size; i++) {
    text += `{"id":${i * 7919 % 10007},"name":"item ${i}","price":${(i * 31 % 997) / 10}},`;
  }
  return text.slice(0, size);
}

/** Echo, and what the messages have become. */
export async function* rows(effort: Effort): AsyncGenerator<Row> {
  const servers = new Servers();
  const message = document(1024);
  const contenders: Contender[] = [];
  const sizes: Result[] = [];
  for (const [client, server] of PAIRS) {
    const { port, url } = await servers.get(server);
    const name = `${client} ↔ ${client}`;
    const it = await connectClient(client, url, { compression: true });
    contenders.push(echoing(name, it, { message, window: 32 }));
    sizes.push({ name, values: [await bytesEach(client, port, message)] });
  }
  const head: RowHead = {
    id: "deflate",
    title: "permessage-deflate: echo of 1 KiB of JSON, 32 under way",
    unit: "messages/s",
    note: "The client in one process, the server in another; both compress and decompress each.",
  };
  yield rowOf(head, await measureAll(contenders, effort));
  yield rowOf({
    id: "deflate-size",
    title: "permessage-deflate: what 1 KiB of JSON becomes, both ways together",
    unit: "B on the wire",
    better: "less",
    note: "The same text over and over: with context takeover only the first is long.",
  }, sizes);
  await servers.stop();
}

const COUNTED = 50;

/** How many bytes a message and its echo take, as a relay between the two sees it. */
async function bytesEach(name: ClientName, port: number, message: string): Promise<number> {
  let bytes = 0;
  const relay = createServer((socket) => {
    const onward = connect(port, "127.0.0.1");
    for (const [from, to] of [[socket, onward], [onward, socket]] as const) {
      from.on("error", () => {});
      from.on("data", (chunk) => {
        bytes += chunk.length;
        to.write(chunk);
      });
      from.on("end", () => to.end());
    }
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", () => resolve()));
  const own = (relay.address() as AddressInfo).port;
  const client = await connectClient(name, `ws://127.0.0.1:${own}`, { compression: true });
  const before = bytes;
  for (let i = 0; i < COUNTED; i++) {
    await new Promise<void>((resolve) => {
      client.onMessage = resolve;
      client.send(message);
    });
  }
  const each = Math.round((bytes - before) / COUNTED);
  await client.close();
  relay.close();
  return each;
}
