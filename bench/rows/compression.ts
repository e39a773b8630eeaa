/** Messages that are compressed in both directions. */

import { type AddressInfo, connect, createServer } from "node:net";
import { type Client, type ClientName, connectClient } from "../clients.ts";
import { echoing } from "../load.ts";
import { type Contender, type Effort, measureAll } from "../measure.ts";
import type { Result, Row } from "../row.ts";
import type { ServerName } from "../servers.ts";
import { type RowHead, rowOf, Servers } from "./section.ts";

const PAIRS: readonly (readonly [ClientName, ServerName])[] = [
  ["ours", "ours, compression"],
  ["ws", "ws, compression"],
];

/** The number of different messages: a compressor could encode a single one as a reference to the last. */
const DOCUMENTS = 64;

/** JSON of 1 KiB each, as programs send it: similar in form, different in content. */
function documents(): string[] {
  let id = 1;
  const next = (below: number): number => {
    // A small generator with a fixed seed, so that every run has the same texts.
    id = id * 48_271 % 0x7fff_ffff;
    return id % below;
  };
  return Array.from({ length: DOCUMENTS }, () => {
    let text = "";
    while (text.length < 1024) {
      text += `{"id":${next(1e6)},"name":"item ${next(1e4)}","price":${next(1e5) / 100}},`;
    }
    return text.slice(0, 1024);
  });
}

/** A client that sends these messages in turn, instead of the given ones. */
function sendingInTurn(client: Client, messages: readonly string[]): Client {
  const { send } = client;
  let at = 0;
  client.send = () => send(messages[at++ % messages.length] ?? "");
  return client;
}

/** Echo, and the compressed size of the messages. */
export async function* rows(effort: Effort): AsyncGenerator<Row> {
  const servers = new Servers();
  const messages = documents();
  const contenders: Contender[] = [];
  const sizes: Result[] = [];
  for (const [client, server] of PAIRS) {
    const { port, url } = await servers.get(server);
    const name = `${client} ↔ ${client}`;
    const it = sendingInTurn(await connectClient(client, url, { compression: true }), messages);
    contenders.push(echoing(name, it, { message: "", window: 32 }));
    sizes.push({ name, values: [await bytesEach(client, port, messages)] });
  }
  const head: RowHead = {
    id: "deflate",
    title: "permessage-deflate: echo of 1 KiB of JSON, 32 in flight",
    unit: "messages/s",
    note: "The client in one process, the server in another; both compress and decompress each.",
  };
  yield rowOf(head, await measureAll(contenders, effort));
  yield rowOf({
    id: "deflate-size",
    title: "permessage-deflate: compressed size of 1 KiB of JSON, both directions",
    unit: "B on the wire",
    better: "less",
    note: `${DOCUMENTS} different texts. A compressor that keeps its context uses earlier texts.`,
  }, sizes);
  await servers.stop();
}

/** The bytes of a message and its echo, which a relay between both ends counts. */
async function bytesEach(
  name: ClientName,
  port: number,
  messages: readonly string[],
): Promise<number> {
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
  for (const message of messages) {
    await new Promise<void>((resolve) => {
      client.onMessage = resolve;
      client.send(message);
    });
  }
  const each = Math.round((bytes - before) / messages.length);
  await client.close();
  relay.close();
  return each;
}
