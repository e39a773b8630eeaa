// Deno only: it starts a browser

/** Chromium's own WebSocket with messages of 64 MiB: the server sends one in parts, and reads one in parts. */

import { assertEquals } from "@std/assert";
import type { IncomingMessage, Message, MessageInput } from "../../mod.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import { chromium } from "../reconnecting/chromium.ts";
import { DevTools } from "../support/dev_tools.ts";
import { leftOut } from "../support/needs.ts";

const PART = 0x1_0000;
const PARTS = 1024;

/** The page's program: it counts the received bytes, and sends as many back. */
const PAGE = `(url, kind) => new Promise((resolve, reject) => {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  socket.onclose = ({ code }) => reject(new Error("closed with " + code));
  socket.onmessage = ({ data }) => {
    const bytes = typeof data === "string" ? null : new Uint8Array(data);
    const size = bytes === null ? data.length : bytes.length;
    let good = size === ${PART * PARTS};
    for (let i = 0; i < size; i += 4096) {
      const value = bytes === null ? data.charCodeAt(i) : bytes[i];
      if (value !== 97 + (i / ${PART} | 0) % 26) good = false;
    }
    socket.onmessage = ({ data }) => {
      socket.onclose = ({ code }) => resolve([typeof bytes?.length, good, data, code].join(" "));
      socket.close(4000);
    };
    socket.send(data);
  };
})`;

Deno.test({
  name: `large messages of Chromium, 64 MiB each way${leftOut("Chromium", chromium !== null)}`,
  ignore: chromium === null,
  async fn() {
    const server = await WebSocketServer.bind({
      streamLargerThan: 1000,
      maxMessageSize: Infinity,
      origin: false,
      handler: async (guest) => {
        const channel = guest.cast<Message | IncomingMessage, MessageInput>();
        const kind = guest.request.url.pathname.endsWith("text") ? "text" : "binary";
        const source = function* () {
          for (let i = 0; i < PARTS; i++) yield new Uint8Array(PART).fill(97 + i % 26);
        };
        await channel.sink.addMessage(source(), { kind });
        const { value } = await channel.stream.next();
        if (typeof value !== "object" || !("readable" in value)) return;
        let [size, sum] = [0, 0];
        for await (const part of value.readable) {
          size += part.length;
          sum += typeof part === "string" ? part.charCodeAt(0) : part[0] ?? 0;
        }
        channel.sink.add(`${value.kind} ${size} ${sum > 0}`);
        await channel.closed;
      },
    });
    const pages = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () => new Response("<title>page</title>", { headers: { "content-type": "text/html" } }),
    );
    const browser = await DevTools.start(chromium as string);
    try {
      const page = await browser.open(
        `http://127.0.0.1:${pages.addr.port}/`,
        `document.title === "page" && document.readyState === "complete"`,
      );
      for (const kind of ["text", "binary"] as const) {
        const seen = await page.evaluate(`(${PAGE})(${JSON.stringify(new URL(kind, server.url))})`);
        const type = kind === "text" ? "undefined" : "number";
        assertEquals(seen, `${type} true ${kind} ${PART * PARTS} true 4000`);
      }
    } finally {
      await browser.close();
      await pages.shutdown();
      await server.close();
    }
  },
});
