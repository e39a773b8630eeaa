/**
 * The npm package in a page of Chromium, bundled by esbuild and by Vite: a connection of the page's own
 * `WebSocket`, `over` and `connectOver`, what a page can't do, and code that can't be loaded.
 */

import { connect as connectTcp, type Socket } from "node:net";
import { StreamChannel } from "../src/stream_channel/stream_channel.ts";
import { WebSocketServer } from "../src/server/mod.ts";
import { WebSocketChannel } from "../mod.ts";
import { NPM_NAME } from "./build_npm.ts";
import { type Checked, write } from "./checked_package.ts";
import { fromFileUrl } from "./support.ts";
import { findChromium, launch, type Page } from "./test_browser.ts";
import { esbuild, succeed, toolCommand } from "./tools.ts";

/** The program of the page. The task compares each function's result with {@linkcode EXPECTED}. */
const PAGE = `
import { UnsupportedError, WebSocketChannel, WebSocketChannelError, ConnectError } from "${NPM_NAME}";
import { channelPair } from "${NPM_NAME}/stream-channel";
import { createWebSocket, toWebSocket, WebSocketStream } from "${NPM_NAME}/faces";

/** How many scripts the page has loaded. */
const scripts = () =>
  performance.getEntriesByType("resource").filter(({ name }) => name.endsWith(".js")).length;

/** A channel of bytes: each message of a connection is a chunk. */
async function bytesOf(url) {
  const tunnel = await WebSocketChannel.open(url);
  return { stream: tunnel.stream, sink: tunnel.sink };
}

async function talk(channel) {
  channel.sink.add("hello");
  channel.sink.add(Uint8Array.of(1, 2, 3));
  const text = (await channel.stream.next()).value;
  const bytes = (await channel.stream.next()).value;
  await channel.sink.close(3000, "bye");
  const { code, reason, wasClean, initiator } = await channel.closed;
  return [text, [...bytes], code, reason, wasClean, initiator];
}

async function errorOf(channel) {
  const error = await channel.ready.then(() => channel.closed, (it) => ({ error: it }));
  return error.error;
}

globalThis.page = {
  connect: (url) => talk(WebSocketChannel.connect(url)),
  async over(url) {
    const before = scripts();
    const channel = WebSocketChannel.over(await bytesOf(url), { side: "client" });
    const { state } = channel;
    const said = await talk(channel);
    return [state, scripts() - before > 0, ...said];
  },
  async connectOver(url, to) {
    const channel = WebSocketChannel.connectOver(await bytesOf(url), to, { protocols: ["p"] });
    const { state } = channel;
    await channel.ready;
    return [state, channel.protocol, channel.response.status, ...await talk(channel)];
  },
  async overPair() {
    const { local, foreign } = channelPair();
    const server = WebSocketChannel.over(foreign, { side: "server" });
    server.stream.listen((message) => server.sink.add(message));
    return talk(WebSocketChannel.over(local, { side: "client" }));
  },
  async net(url) {
    const error = await errorOf(WebSocketChannel.connect(url, { transport: "net" }));
    return [error instanceof UnsupportedError, error.capability, error.platform, error.message];
  },
  /** A class that takes the place of the page's own, which it connects with. */
  async face(url) {
    const Own = globalThis.WebSocket;
    globalThis.WebSocket = createWebSocket();
    try {
      const socket = new globalThis.WebSocket(url, "p");
      await new Promise((resolve) => socket.onopen = resolve);
      socket.send(new Blob(["a blob"]));
      const { data, origin } = await new Promise((resolve) => socket.onmessage = resolve);
      socket.close(undefined, "bye");
      const { code, reason, wasClean } = await new Promise((resolve) => socket.onclose = resolve);
      const isOwn = socket instanceof Own;
      return [isOwn, socket.protocol, await data.text(), origin === new URL(url).origin, code, reason, wasClean];
    } finally {
      globalThis.WebSocket = Own;
    }
  },
  async faceStream(url) {
    const stream = new WebSocketStream(url);
    const { readable, writable } = await stream.opened;
    const writer = writable.getWriter();
    await writer.write("hello");
    const { value } = await readable.getReader().read();
    await writer.close();
    return [value, await stream.closed];
  },
  async facePair() {
    const { local, foreign } = channelPair();
    const server = toWebSocket(WebSocketChannel.over(foreign, { side: "server" }));
    server.onmessage = ({ data }) => server.send(data);
    return talk(WebSocketChannel.over(local, { side: "client" }));
  },
  async compressed() {
    const { local } = channelPair();
    try {
      WebSocketChannel.over(local, { side: "client", extensions: "permessage-deflate" });
    } catch (error) {
      return [error instanceof UnsupportedError, error.capability];
    }
  },
  async refused() {
    const one = channelPair();
    const open = WebSocketChannel.over(one.local, { side: "client" });
    open.sink.add("lost");
    const lost = await errorOf(open);
    const connecting = WebSocketChannel.connectOver(channelPair().local, "ws://host");
    const failed = await errorOf(connecting);
    return [
      lost instanceof WebSocketChannelError && lost.cause instanceof TypeError,
      failed instanceof ConnectError && failed.cause instanceof TypeError,
      (await one.foreign.stream.next()).done,
    ];
  },
};
`;

const SAID = ["hello", [1, 2, 3], 3000, "bye", true, "local"];

/** The expected result of each function. */
const EXPECTED: readonly [name: string, result: readonly unknown[]][] = [
  ["connect", SAID],
  ["over", ["open", true, ...SAID]],
  ["connectOver", ["connecting", "p", 101, ...SAID]],
  ["overPair", SAID],
  ["face", [false, "p", "a blob", true, 1000, "bye", true]],
  ["faceStream", ["hello", { closeCode: 1005, reason: "" }]],
  ["facePair", SAID],
  ["net", [
    true,
    "net",
    "browser",
    'Unsupported on browser: net. transport: "net" needs it. Pages don\'t support it: leave it out, or ' +
    "connect on Deno, Node or Bun",
  ]],
  ["compressed", [true, "permessage-deflate"]],
];

/** Bundles an application for pages, in a folder of the project. */
export type BundlePage = (checked: Checked) => Promise<URL>;

/** Bundles the page by esbuild. */
export async function byEsbuild(checked: Checked): Promise<URL> {
  await write(checked, "page.js", PAGE);
  const options = ["--bundle", "--splitting", "--minify", "--format=esm", "--outdir=page_esbuild"];
  await succeed([...await esbuild(), "page.js", ...options, "--log-level=error"], {
    cwd: fromFileUrl(checked.project),
  });
  await write(checked, "page_esbuild/index.html", `<script type="module" src="page.js"></script>`);
  return new URL("page_esbuild/", checked.project);
}

/** Bundles the page by Vite. */
export async function byVite(checked: Checked): Promise<URL> {
  await Deno.mkdir(new URL("page_vite/", checked.project), { recursive: true });
  await write(checked, "page_vite/page.js", PAGE);
  await write(checked, "page_vite/index.html", `<script type="module" src="page.js"></script>`);
  const vite = await toolCommand("vite", "vite");
  await succeed([...vite, "build", "page_vite", "--logLevel=error"], {
    cwd: fromFileUrl(checked.project),
  });
  return new URL("page_vite/dist/", checked.project);
}

/** Serves the files of a folder; `refuses` names those that aren't there. */
function serveFolder(folder: URL, refuses: () => RegExp | null): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const path = new URL(request.url).pathname.slice(1) || "index.html";
    if (refuses()?.test(path)) return new Response(null, { status: 404 });
    const type = path.endsWith(".js") ? "text/javascript" : "text/html";
    return await Deno.readFile(new URL(path, folder)).then(
      (file) =>
        new Response(file, { headers: { "content-type": type, "cache-control": "no-store" } }),
      () => new Response(null, { status: 404 }),
    );
  });
}

/** Echoes each message, until the channel ends. */
function echo({ stream, sink }: Pick<WebSocketChannel, "stream" | "sink">): void {
  stream.listen((message) => void sink.add(message));
}

/** Servers for the page: `/echo`, `/bytes` speaks the protocol over messages, `/tcp` carries bytes to `echo`. */
async function withServers(origin: string, body: (url: string) => Promise<void>): Promise<void> {
  const server = await WebSocketServer.bind({
    port: 0,
    hostname: "127.0.0.1",
    origin: [origin],
    protocols: ["p"],
  });
  const sockets = new Set<Socket>();
  const inner = await WebSocketServer.bind({ port: 0, hostname: "127.0.0.1", protocols: ["p"] });
  const echoing = (async () => {
    for await (const guest of inner) echo(guest);
  })();
  const serving = (async () => {
    for await (const guest of server) {
      const { pathname } = new URL(guest.url, "ws://host");
      if (pathname === "/echo") echo(guest);
      const bytes = StreamChannel.from<Uint8Array, Uint8Array>(guest as never);
      if (pathname === "/bytes") echo(WebSocketChannel.over(bytes, { side: "server" }));
      if (pathname === "/tcp") sockets.add(carry(bytes, Number(new URL(inner.url).port)));
    }
  })();
  try {
    await body(server.url);
  } finally {
    for (const socket of sockets) socket.destroy();
    await Promise.all([server.close(), inner.close()]);
    await Promise.all([serving, echoing]);
  }
}

/** Carries bytes to a port and back. */
function carry({ stream, sink }: StreamChannel<Uint8Array>, port: number): Socket {
  const socket = connectTcp({ host: "127.0.0.1", port });
  socket.on("data", (chunk: Uint8Array) => void sink.add(chunk));
  socket.on("close", () => void sink.close().catch(() => {}));
  socket.on("error", () => {});
  stream.listen((chunk) => void socket.write(chunk), { onDone: () => socket.end() });
  return socket;
}

async function assertGives(
  page: Page,
  call: string,
  expected: readonly unknown[],
): Promise<void> {
  const got = JSON.stringify(await page.evaluate(`page.${call}`));
  const wanted = JSON.stringify(expected);
  if (got !== wanted) throw new Error(`${call} gives ${got}, it should give ${wanted}`);
}

/**
 * Runs the page in Chromium.
 *
 * @param bundle How it is bundled.
 * @returns What couldn't be done, or nothing.
 */
export async function checkPage(checked: Checked, bundle: BundlePage): Promise<string> {
  const chromium = await findChromium();
  if (chromium === null) return "Chromium isn't installed";
  const folder = await bundle(checked);
  let refused: RegExp | null = null;
  const files = serveFolder(folder, () => refused);
  const origin = `http://127.0.0.1:${files.addr.port}`;
  const browser = await launch(chromium);
  try {
    await withServers(origin, async (url) => {
      const page = await open(await browser.newPage(), origin);
      const at = (path: string): string => JSON.stringify(new URL(path, url));
      const calls: Record<string, string> = {
        connect: `connect(${at("/echo")})`,
        over: `over(${at("/bytes")})`,
        connectOver: `connectOver(${at("/tcp")}, "ws://host/")`,
        face: `face(${at("/echo")})`,
        faceStream: `faceStream(${at("/echo")})`,
        net: `net(${at("/echo")})`,
      };
      for (const [name, result] of EXPECTED) {
        await assertGives(page, calls[name] ?? `${name}()`, result);
      }
      // What the second page loads at once is what the first one has loaded before it was used.
      refused = /loaded_over/;
      await assertGives(await open(await browser.newPage(), origin), "refused()", [
        true,
        true,
        true,
      ]);
    });
  } finally {
    await browser.close();
    await files.shutdown();
  }
  return "";
}

/** Opens the application, and waits for it. */
async function open(page: Page, origin: string): Promise<Page> {
  await page.goto(origin);
  await page.evaluate(`(async () => {
    while (globalThis.page === undefined) await new Promise((resolve) => setTimeout(resolve));
  })()`);
  return page;
}
