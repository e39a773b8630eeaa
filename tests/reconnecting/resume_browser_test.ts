// Deno only: it starts a browser

/** Resumption with Chromium's own WebSocket as the client. */

import { assertEquals } from "@std/assert";
import { Sessions } from "../../src/reconnecting/mod.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import type { Message } from "../../src/web_socket/web_socket_channel.ts";
import { findChromium } from "../../tasks/test_browser.ts";
import { esbuild, OUT, succeed } from "../../tasks/tools.ts";
import { DevTools } from "../support/dev_tools.ts";
import { until } from "../support/turns.ts";

const chromium = await findChromium();

const PAGE = `
import { ReconnectingChannel, resumption } from ${
  JSON.stringify(new URL("../../src/reconnecting/page.ts", import.meta.url).pathname)
};

globalThis.received = [];
globalThis.connect = (url) => {
  const channel = globalThis.channel = ReconnectingChannel.connect({ url, protocols: ["v2"] }, {
    resume: resumption(),
    firstDelay: 1,
  });
  channel.stream.listen((message) => {
    received.push(typeof message === "string" ? message : "bytes " + message.join(" "));
  });
};
`;

async function bundled(): Promise<string> {
  const [input, output] = ["resume.mjs", "resume.out.js"].map((it) =>
    new URL(`browser/${it}`, OUT).pathname
  ) as [string, string];
  await Deno.mkdir(new URL("browser/", OUT), { recursive: true });
  await Deno.writeTextFile(input, PAGE);
  await succeed([...await esbuild(), input, "--bundle", "--format=esm", `--outfile=${output}`]);
  return await Deno.readTextFile(output);
}

Deno.test({
  name: "Chromium: a page's messages arrive once and in order, both ways, over lost connections",
  ignore: chromium === null,
  async fn() {
    const code = await bundled();
    const files = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      ({ url }) =>
        url.endsWith(".js")
          ? new Response(code, { headers: { "content-type": "text/javascript" } })
          : new Response(`<script type="module" src="page.js"></script>`, {
            headers: { "content-type": "text/html" },
          }),
    );
    const origin = `http://127.0.0.1:${files.addr.port}`;
    const received: Message[] = [];
    let handlers = 0;
    const server = await WebSocketServer.bind({
      origin: [origin],
      protocols: ["v2"],
      verify: (request) => ({ context: request.protocols.join(" ") }),
      handler: new Sessions<string>().handler((channel) => {
        handlers++;
        assertEquals([channel.context, channel.protocol], ["resume.v1 v2", "v2"]);
        channel.stream.listen((message) => {
          received.push(message);
          channel.sink.add(message);
          // The connection is lost again and again, with messages in flight.
          if (received.length % 30 === 0) lose();
        });
      }),
    });
    let lose = (): void => {};
    const browser = await DevTools.start(chromium as string);
    try {
      const tab = await browser.open(`${origin}/`, "globalThis.connect !== undefined");
      lose = () => void tab.evaluate(`channel.connection?.terminate()`).catch(() => {});
      await tab.evaluate(`connect(${JSON.stringify(server.url)})`);
      await tab.evaluate(`(() => {
        for (let i = 0; i < 100; i++) channel.sink.add("text " + i);
        for (let i = 0; i < 100; i++) channel.sink.add(new Uint8Array([i, 255 - i]));
      })()`);
      await until(() => received.length === 200);
      const sent = [
        ...Array.from({ length: 100 }, (_, i) => `text ${i}`),
        ...Array.from({ length: 100 }, (_, i) => new Uint8Array([i, 255 - i])),
      ];
      assertEquals([received, handlers], [sent, 1]);
      await tab.evaluate(`channel.sink.flush()`);
      await tab.evaluate(`(async () => {
        while (received.length < 200) await new Promise((it) => setTimeout(it));
      })()`);
      assertEquals(
        JSON.parse(String(await tab.evaluate(`JSON.stringify(received)`))),
        sent.map((it) => typeof it === "string" ? it : `bytes ${it.join(" ")}`),
      );
      await tab.evaluate(`channel.close(4001, "done")`);
      await until(() => server.channels.size === 0);
    } finally {
      await browser.close();
      await server.close();
      await files.shutdown();
    }
  },
});
