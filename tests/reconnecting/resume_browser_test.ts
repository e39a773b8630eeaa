// Deno only: starts a browser

/** Resumption with Chromium's own WebSocket as the client. */

import { assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { Sessions } from "../../src/reconnecting/mod.ts";
import { type ServerWebSocketChannel, WebSocketServer } from "../../src/server/mod.ts";
import type { Message } from "../../src/web_socket/web_socket_channel.ts";
import type { Tab } from "../support/dev_tools.ts";
import { leftOut } from "../support/needs.ts";
import { until } from "../support/turns.ts";
import { chromium, ENTRY, PageServer, setOffline } from "./chromium.ts";

const PAGE = `
import { ReconnectingChannel, resumption } from ${ENTRY};

globalThis.received = [];
globalThis.states = [];
globalThis.connect = (url) => {
  const channel = globalThis.channel = ReconnectingChannel.connect({ url, protocols: ["v2"] }, {
    resume: resumption(),
    firstDelay: 1,
    onState: ({ name }) => states.push(name),
  });
  channel.stream.listen((message) => {
    received.push(typeof message === "string" ? message : "bytes " + message.join(" "));
  });
};
`;

/** How long a test may take, in milliseconds. */
const PATIENCE = 30_000;

/** How often the page loses and regains its network. */
const CYCLES = 10;

/** A page with a session, and its server. */
interface Rig {
  readonly tab: Tab;
  readonly server: WebSocketServer;
  /** The session's channels: there must only ever be one. */
  readonly channels: ServerWebSocketChannel[];
  /** The messages that the server has received. */
  readonly received: Message[];
  /** Called with each message that the server receives. */
  onMessage: (channel: ServerWebSocketChannel, message: Message) => void;
  /** Waits until the page has received the given number of messages, and returns them. */
  seen(count: number): Promise<string[]>;
}

function browserTest(name: string, body: (rig: Rig) => Promise<void>): void {
  Deno.test({
    name: `Chromium: ${name}${leftOut("Chromium", chromium !== null)}`,
    ignore: chromium === null,
    fn: () => inPage(body),
  });
}

async function inPage(body: (rig: Rig) => Promise<void>): Promise<void> {
  await using page = await PageServer.start("resume", PAGE);
  const channels: ServerWebSocketChannel[] = [];
  const received: Message[] = [];
  await using server = await WebSocketServer.bind({
    origin: [page.origin],
    protocols: ["v2"],
    handler: new Sessions().handler((channel) => {
      channels.push(channel);
      channel.stream.listen((message) => {
        received.push(message);
        rig.onMessage(channel, message);
      });
    }),
  });
  const tab = await page.open();
  const rig: Rig = {
    tab,
    server,
    channels,
    received,
    onMessage: () => {},
    async seen(count) {
      await tab.evaluate(`(async () => {
        while (received.length < ${count}) await new Promise((it) => setTimeout(it));
      })()`);
      return JSON.parse(String(await tab.evaluate("JSON.stringify(received)")));
    },
  };
  await tab.evaluate(`connect(${JSON.stringify(server.url)})`);
  await deadline(body(rig), PATIENCE);
}

browserTest(
  "a page's messages arrive once and in order, both ways, over lost connections",
  async (rig) => {
    const { tab, server, channels, received } = rig;
    rig.onMessage = (channel, message) => {
      channel.sink.add(message);
      // The page loses the connection repeatedly, with messages in flight.
      if (received.length % 30 === 0) {
        tab.evaluate("channel.connection?.terminate()").catch(() => {});
      }
    };
    await tab.evaluate(`(() => {
    for (let i = 0; i < 100; i++) channel.sink.add("text " + i);
    for (let i = 0; i < 100; i++) channel.sink.add(new Uint8Array([i, 255 - i]));
  })()`);
    await until(() => received.length === 200);
    const sent = [
      ...Array.from({ length: 100 }, (_, i) => `text ${i}`),
      ...Array.from({ length: 100 }, (_, i) => new Uint8Array([i, 255 - i])),
    ];
    assertEquals([received, channels.length], [sent, 1]);
    await tab.evaluate("channel.sink.flush()");
    assertEquals(
      await rig.seen(200),
      sent.map((it) => typeof it === "string" ? it : `bytes ${it.join(" ")}`),
    );
    assertEquals(channels[0]?.protocol, "v2");
    await tab.evaluate(`channel.close(4001, "done")`);
    await until(() => server.channels.size === 0);
  },
);

browserTest(
  "messages that both sides add during repeated offline times arrive once and in order",
  async (rig) => {
    const { tab, server, channels, received } = rig;
    const sent = ["before"];
    const seen: string[] = [];
    await tab.evaluate(`channel.sink.add("before")`);
    await until(() => received.length === 1);
    const [channel] = channels;
    for (let i = 0; i < CYCLES; i++) {
      await setOffline(tab, true);
      // Messages in flight on a lost connection, and messages added without a connection.
      channel?.sink.add(`in flight ${i}`);
      await tab.evaluate(`channel.sink.add("offline ${i}"); channel.connection?.terminate()`);
      await tab.evaluate(`(async () => {
        while (channel.state.name !== "paused") await new Promise((it) => setTimeout(it));
      })()`);
      // The server may not know yet that the client is away.
      channel?.sink.add(`away ${i}`);
      await setOffline(tab, false);
      sent.push(`offline ${i}`);
      seen.push(`in flight ${i}`, `away ${i}`);
      await until(() => received.length === sent.length);
      assertEquals(await rig.seen(seen.length), seen);
      await tab.evaluate("channel.sink.flush()");
    }
    assertEquals([received, channels.length], [sent, 1]);
    assertEquals(await tab.evaluate(`states.includes("reset")`), false);
    await tab.evaluate("channel.close(1000)");
    await until(() => server.channels.size === 0);
  },
);
