/** A listener that transfers a received message also takes the bytes that arrived after it in the same chunk. */

import { assert, assertEquals } from "@std/assert";
import { WebSocketServer } from "../../src/server/mod.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { joined } from "../support/bytes.ts";
import { frame, KEY } from "../support/frames.ts";

const text = (payload: string): Uint8Array => frame({ opcode: 1, payload, key: KEY });
const bytes = (payload: string): Uint8Array => frame({ opcode: 2, payload, key: KEY });

/** A server, and a raw client that has opened a connection to it. */
async function serveOne() {
  const server = await WebSocketServer.bind();
  const client = new RawClient(server.url);
  client.request();
  const guest = (await server[Symbol.asyncIterator]().next()).value;
  assert(guest !== undefined);
  return { server, client, guest };
}

function transfer(message: string | Uint8Array): void {
  if (typeof message !== "string") {
    structuredClone(message, { transfer: [message.buffer as ArrayBuffer] });
  }
}

Deno.test("attack 70: a message is transferred with others behind it: the channel closes, no message is forged", async () => {
  const { server, client, guest } = await serveOne();
  const got: unknown[] = [];
  guest.stream.listen((message: string | Uint8Array) => {
    got.push(typeof message === "string" ? message : message.length);
    transfer(message);
  });
  // These bytes look like a frame, but are the end of a payload whose beginning is lost.
  const forged = text("forged");
  const whole = text(`says ${"x".repeat(forged.length)}`);
  const at = whole.length - forged.length;
  client.socket.write(joined([bytes("123"), whole.subarray(0, at)]));
  await guest.closing;
  client.socket.write(forged);
  client.socket.destroy();
  const { error, sent } = await guest.closed;
  assertEquals([got, sent?.code], [[3], 1011]);
  assert(String(error).includes("transferred"), String(error));
  await server.close({ drainTimeout: 0 });
});

Deno.test("a listener may transfer the last message of a chunk", async () => {
  const { server, client, guest } = await serveOne();
  const got: unknown[] = [];
  let more = (): void => {};
  guest.stream.listen((message: string | Uint8Array) => {
    got.push(message.length);
    transfer(message);
    more();
  });
  for (const payload of ["1", "22", "333"]) {
    const next = new Promise<void>((resolve) => more = resolve);
    client.socket.write(bytes(payload));
    await next;
  }
  assertEquals([got, guest.state], [[1, 2, 3], "open"]);
  client.socket.destroy();
  await server.close({ drainTimeout: 0 });
});
