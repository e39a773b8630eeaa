/** Recipes over npm `ws`: well-behaved servers. */

import { Buffer } from "node:buffer";
// @ts-types="./ws.d.ts"
import { type WebSocket, WebSocketServer } from "ws";
import type { RecipeConnection } from "./recipe_connection.ts";
import type { RequestEvent } from "./recipe_events.ts";
import type { Recipe } from "./recipe_server.ts";
import type { RecipeMessage, RecipeOptions } from "./recipes.ts";

/** Recipes over npm `ws`, by name. */
export const politeRecipes: Readonly<
  Record<
    | "echo"
    | "echo-close"
    | "watch"
    | "close"
    | "flood"
    | "greeting"
    | "pong-close-watch"
    | "slow-upgrade"
    | "push"
    | "ping",
    Recipe
  >
> = {
  echo: async (connection) => echo(await upgrade(connection)),
  "echo-close": async (connection) => {
    const { code = 3001, reason = "you asked me to" } = connection.host.options;
    const socket = await upgrade(connection);
    onText(socket, "close", () => socket.close(code, reason));
    echo(socket, (text) => text !== "close");
  },
  watch: async (connection) => void await upgrade(connection),
  close: async (connection) => {
    const { code = 4123, reason = "server closed the connection" } = connection.host.options;
    const socket = await upgrade(connection);
    socket.on("message", () => socket.close(code, reason));
  },
  flood: async (connection) => {
    const { count = 10_000, text = "Hello World!" } = connection.host.options;
    const socket = await upgrade(connection);
    for (let i = 0; i < count; i++) socket.send(text);
  },
  greeting: async (connection) => {
    const socket = await upgrade(connection);
    onText(socket, "ping", () => {
      socket.send("pong");
      socket.close(3678, "raisin");
    });
    socket.send("hello!");
  },
  "pong-close-watch": async (connection) => {
    const socket = await upgrade(connection);
    onText(socket, "ping", () => socket.send("pong"));
  },
  "slow-upgrade": async (connection) => {
    const request = await report(connection);
    await connection.host.released();
    if (!connection.isOver) echo(await answer(connection, request));
  },
  push: async (connection) => {
    const { messages = [], code, reason } = connection.host.options;
    const socket = await upgrade(connection);
    await waited(connection, socket);
    for (const message of messages) socket.send(content(message));
    if (code !== undefined) socket.close(code, reason);
  },
  ping: async (connection) => {
    const { count = 1, text = "ping" } = connection.host.options;
    const socket = await upgrade(connection);
    echo(socket);
    await waited(connection, socket);
    for (let i = 0; i < count; i++) socket.ping(text);
  },
};

/** The payload of a message. */
export function content(message: RecipeMessage): string | Buffer {
  return typeof message === "string" ? message : Buffer.from(message.hex, "hex");
}

async function report(connection: RecipeConnection): Promise<RequestEvent> {
  const request = await connection.readRequest();
  connection.host.report(request);
  return request;
}

async function upgrade(connection: RecipeConnection): Promise<WebSocket> {
  return await answer(connection, await report(connection));
}

/** A promise that stays pending if `ws` refuses the request. */
function answer(connection: RecipeConnection, request: RequestEvent): Promise<WebSocket> {
  const { options } = connection.host;
  // RFC 6455 §5.5.1: `ws` ends TCP itself, after its own Close.
  connection.endsWithClient = false;
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: options.compression ?? false,
    maxPayload: 0,
    handleProtocols: (offered) => choose(offered, options),
  });
  server.on("headers", (lines) => {
    for (const [name, value] of Object.entries(options.headers ?? {})) {
      lines.push(`${name}: ${value}`);
    }
  });
  return new Promise((resolve) => {
    server.handleUpgrade(request, connection.socket, connection.detach(), (socket) => {
      watch(socket, connection);
      resolve(socket);
    });
  });
}

function choose(offered: Set<string>, options: RecipeOptions): string | false {
  const { protocol } = options;
  if (protocol !== undefined && offered.has(protocol)) return protocol;
  const [first = false] = offered;
  return first;
}

function watch(socket: WebSocket, { host }: RecipeConnection): void {
  socket.on("message", (data, isBinary) => {
    host.report(
      isBinary
        ? { kind: "message", binary: data.toString("hex") }
        : { kind: "message", text: data.toString() },
    );
  });
  socket.on("ping", (data) => {
    host.report({ kind: "ping", payload: data.toString("hex") });
  });
  socket.on("pong", (data) => {
    host.report({ kind: "pong", payload: data.toString("hex") });
  });
  socket.on("error", (error) => {
    const isOfPeer = error.code?.startsWith("WS_ERR") === true;
    if (isOfPeer) host.report({ kind: "fault", message: error.message });
  });
  socket.on("close", (code, reason) => {
    host.report({ kind: "close", code, reason: String(reason) });
  });
}

function echo(socket: WebSocket, isEchoed: (text: string) => boolean = () => true): void {
  socket.on("message", (data, binary) => {
    if (binary || isEchoed(String(data))) socket.send(data, { binary });
  });
}

function onText(socket: WebSocket, text: string, callback: () => void): void {
  socket.on("message", (data, isBinary) => {
    if (!isBinary && String(data) === text) callback();
  });
}

async function waited({ host }: RecipeConnection, socket: WebSocket): Promise<void> {
  if (host.options.wait === "release") await host.released();
  if (host.options.wait !== "data") return;
  await new Promise<void>((resolve) => socket.once("message", () => resolve()));
}
