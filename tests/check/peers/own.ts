/** This package's echo server, which prints its port; with a URL, its client, which runs eight cases at a time. */

import process from "node:process";
import { NetWebSocketChannel } from "../../../src/net/mod.ts";
import { WebSocketServer } from "../../../src/server/mod.ts";

const [, , url = ""] = process.argv;
const LIMIT = 64 << 20;

async function serve(): Promise<void> {
  const server = await WebSocketServer.bind({
    compression: true,
    maxMessageSize: LIMIT,
    handler: (channel) => {
      channel.stream.listen((message) => void channel.sink.add(message));
    },
  });
  console.log(JSON.stringify({ port: Number(new URL(server.url).port) }));
}

async function run(
  path: string,
  protocols: string[],
  use: (message: unknown) => void,
): Promise<void> {
  const options = { protocols, compression: true, maxMessageSize: LIMIT };
  const channel = NetWebSocketChannel.connect(`${url}${path}`, options);
  try {
    for await (const message of channel.stream) {
      if (path === "/cases") use(message);
      else channel.sink.add(message);
    }
  } catch {
    // Many connections must fail.
  }
}

async function connect(): Promise<void> {
  const cases: { path: string; protocols: string[] }[] = [];
  await run("/cases", [], (message) => cases.push(...JSON.parse(message as string)));
  const work = async (): Promise<void> => {
    for (let next = cases.shift(); next !== undefined; next = cases.shift()) {
      await run(next.path, next.protocols, () => {});
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
}

await (url === "" ? serve() : connect());
