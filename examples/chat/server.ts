// A chat with a page, served by one process, or by several that share Redis:
//
//   deno run --allow-all examples/chat/server.ts 8080
//   deno run --allow-all examples/chat/server.ts 8081 redis://127.0.0.1:6379

import { createClient } from "redis";
import { WebSocketServer } from "@web-socket/channel/server";
import { memory, redisStreams, Topics, type TopicsEngine } from "@web-socket/channel/topics";
import { Room } from "./room.ts";

const [port = "8080", redis] = Deno.args;

/** The page's script: this package and the page's own code as one file, for a browser. */
async function bundle(): Promise<Uint8Array<ArrayBuffer>> {
  const page = new URL("page.js", import.meta.url).href;
  const command = new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform=browser", "--minify", page],
    stderr: "inherit",
  });
  const { success, stdout } = await command.output();
  if (!success) throw new Error("The page can't be bundled");
  return stdout;
}

function file(body: BodyInit, type: string): Response {
  const headers = { "Content-Type": type, "Content-Security-Policy": "default-src 'self'" };
  return new Response(body, { headers });
}

const here = (name: string): URL => new URL(name, import.meta.url);
const html = await Deno.readTextFile(here("page.html"));
const css = await Deno.readTextFile(here("page.css"));
/** Bundled when the first page asks for it. */
let script: ReturnType<typeof bundle> | undefined;
const files: Record<string, () => Response | Promise<Response>> = {
  "/": () => file(html, "text/html; charset=utf-8"),
  "/page.css": () => file(css, "text/css; charset=utf-8"),
  "/bundle.js": async () => file(await (script ??= bundle()), "text/javascript; charset=utf-8"),
};

async function redisEngine(url: string): Promise<TopicsEngine> {
  const client = createClient({ url });
  // Without a listener, a lost connection would end the process. The client reconnects by itself.
  client.on("error", (error) => console.error(`redis: ${error}`));
  await client.connect();
  return redisStreams(client);
}

const engine = redis === undefined ? memory() : await redisEngine(redis);
const topics = new Topics({ engine, history: { size: 1000, age: 24 * 60 * 60 * 1000 } });
const room = new Room(topics);

const server = await WebSocketServer.bind({
  port: Number(port),
  path: "/chat",
  maxMessageSize: 16 * 1024,
  maxConnections: 10_000,
  onRequest(request) {
    const { pathname } = new URL(request.url);
    return files[pathname]?.() ?? new Response("Nothing is here\n", { status: 404 });
  },
});
console.log(`listening at ${server.url.replace("ws:", "http:")}`);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => server.close({ code: 1012, reason: "restarting" }));
}

const serving = new Set<Promise<void>>();
for await (const channel of server) {
  const served: Promise<void> = room.serve(channel).finally(() => serving.delete(served));
  serving.add(served);
}
await server.closed;
await Promise.all(serving);
room.close();
await topics.close();
Deno.exit();
