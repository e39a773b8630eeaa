/** y-websocket: two documents that become one, by way of a server of this package. */

import assert from "node:assert/strict";
import * as encoding from "lib0/encoding";
import * as decoding from "lib0/decoding";
import * as sync from "y-protocols/sync";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { createWebSocket } from "web-socket-channel/faces";
import { WebSocketServer } from "web-socket-channel/server";
import { run } from "./support.mjs";

const SYNC = 0;

await run(async () => {
  // One document for all; awareness is left out.
  const shared = new Y.Doc();
  const channels = new Set();
  const write = (fill) => {
    const encoder = encoding.createEncoder();
    encoding.writeVarUint(encoder, SYNC);
    fill(encoder);
    return encoding.toUint8Array(encoder);
  };
  shared.on("update", (update, origin) => {
    const message = write((encoder) => sync.writeUpdate(encoder, update));
    for (const channel of channels) if (channel !== origin) channel.sink.add(message);
  });
  const server = await WebSocketServer.bind({
    port: 0,
    handler: async (channel) => {
      channels.add(channel);
      channel.sink.add(write((encoder) => sync.writeSyncStep1(encoder, shared)));
      channel.stream.listen((message) => {
        const decoder = decoding.createDecoder(message);
        if (decoding.readVarUint(decoder) !== SYNC) return;
        const answer = write((encoder) => sync.readSyncMessage(decoder, encoder, shared, channel));
        if (answer.length > 1) channel.sink.add(answer);
      });
      await channel.closed;
      channels.delete(channel);
    },
  });
  const url = server.url.replace(/\/$/, "");

  const options = {
    WebSocketPolyfill: createWebSocket({ compression: true }),
    disableBc: true,
  };
  const [one, two] = [new Y.Doc(), new Y.Doc()];
  const providers = [one, two].map((doc) => new WebsocketProvider(url, "room", doc, options));
  await Promise.all(providers.map((it) => new Promise((resolve) => it.once("sync", resolve))));
  const text = "hello ".repeat(1000);
  one.getText("t").insert(0, text);
  while (two.getText("t").toString() !== text) await new Promise((resolve) => setTimeout(resolve));
  two.getText("t").insert(0, "They say ");
  while (one.getText("t").length < text.length + 9) {
    await new Promise((resolve) => setTimeout(resolve));
  }
  assert.equal(one.getText("t").toString(), `They say ${text}`);
  for (const provider of providers) {
    provider.destroy();
    provider.awareness.destroy();
  }
  await server.close();
});
