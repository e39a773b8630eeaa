/** Recipes over bare TCP: misbehaving servers. */

import { Buffer } from "node:buffer";
import { STATUS_CODES } from "node:http";
import { content } from "./polite_recipes.ts";
import { fromHex } from "./bytes.ts";
import { closeFrame, frame, opcodes } from "./frames.ts";
import { type Manners, RawPeer, requested, waited } from "./raw_peer.ts";
import { acceptFor, head, type RecipeConnection, switchingProtocols } from "./recipe_connection.ts";
import type { Recipe } from "./recipe_server.ts";
import type { RecipeMessage } from "./recipes.ts";

type RudeName =
  | "bad-utf8"
  | "destroy"
  | "garbage"
  | "http"
  | "proto"
  | "silent"
  | "accept-then-end"
  | "never-close"
  | "close-keeps-tcp"
  | "server-close-keeps-tcp"
  | "unoffered-protocol"
  | "no-protocol"
  | "bad-accept"
  | "no-accept"
  | "messages-after-close"
  | "ping-between-fragments"
  | "raw"
  | "flood-until-blocked"
  | "sink";

/** Never answers. */
const DEAF: Manners = { pong: false, close: "ignore" };

/** Recipes over bare TCP, by name. */
export const rudeRecipes: Readonly<Record<RudeName, Recipe>> = {
  "bad-utf8": async (connection) => {
    const peer = await upgrade(connection, { close: "ignore" });
    await waited(peer);
    await peer.send(closeFrame(4123, Buffer.of(0xff)));
    connection.socket.end();
  },
  destroy: async (connection) => {
    const peer = await upgrade(connection, DEAF);
    await waited(peer);
    connection.socket.destroy();
  },
  garbage: async (connection) => {
    const peer = await upgrade(connection, DEAF);
    await waited(peer);
    await peer.send(Buffer.from("my own protocol, not yours\r\n"));
  },
  http,
  proto: async (connection) => {
    const request = await requested(connection);
    const query = new URL(request.path, "http://localhost").searchParams.get("protocol");
    const protocol = query ?? connection.host.options.protocol;
    const headers = protocol === undefined ? {} : { "Sec-WebSocket-Protocol": protocol };
    await connection.write(Buffer.from(switchingProtocols(request, headers)));
    new RawPeer(connection, {
      onMessage: (peer, opcode, payload) => {
        peer.send(frame({ opcode, payload }));
        peer.send(closeFrame(1000));
      },
      close: "end",
    });
  },
  silent: async (connection) => {
    connection.endsWithClient = false;
    await requested(connection);
    connection.onBytes(() => {});
  },
  "accept-then-end": (connection) => {
    connection.onBytes(() => {});
    connection.finish(connection.host.options.then ?? "end");
  },
  "never-close": async (connection) => void await upgrade(connection, { ...DEAF, echo: true }),
  "close-keeps-tcp": async (connection) =>
    void await upgrade(connection, { echo: true, close: "keep-tcp" }),
  "server-close-keeps-tcp": async (connection) => {
    const { code = 4123, reason = "server closed the connection" } = connection.host.options;
    const peer = await upgrade(connection, { close: "ignore" });
    await waited(peer);
    await peer.send(closeFrame(code, reason));
  },
  "unoffered-protocol": async (connection) => {
    const { protocol = "unoffered.example" } = connection.host.options;
    await upgrade(connection, { echo: true }, { "Sec-WebSocket-Protocol": protocol });
  },
  "no-protocol": async (connection) => void await upgrade(connection, { echo: true }),
  "bad-accept": (connection) => answerWithAccept(connection, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
  "no-accept": (connection) => answerWithAccept(connection, undefined),
  "messages-after-close": async (connection) => {
    const { messages = ["late"] } = connection.host.options;
    await upgrade(connection, {
      onClose: (peer) => {
        for (const message of messages) peer.send(dataFrame(message));
      },
    });
  },
  "ping-between-fragments": async (connection) => {
    const { text = "between" } = connection.host.options;
    const peer = await upgrade(connection, { echo: true });
    await waited(peer);
    await peer.send(frame({ opcode: opcodes.text, payload: "first ", fin: false }));
    await peer.send(frame({ opcode: opcodes.ping, payload: text }));
    await peer.send(frame({ opcode: opcodes.continuation, payload: "second" }));
  },
  raw,
  "flood-until-blocked": async (connection) => {
    const { size = 65536, count = Infinity, code = 1000, reason } = connection.host.options;
    const peer = await upgrade(connection, {});
    await waited(peer);
    const text = (it: number): Uint8Array =>
      frame({ opcode: opcodes.text, payload: String(it).padStart(size, "0") });
    const perBlock = Math.max(1, Math.floor(65536 / size));
    for (let i = 0; i < count && !connection.isOver; i += perBlock) {
      const length = Math.min(perBlock, count - i);
      await peer.send(Buffer.concat(Array.from({ length }, (_, k) => text(i + k))));
    }
    await peer.send(closeFrame(code, reason));
  },
  sink: async (connection) => {
    const request = await requested(connection);
    connection.socket.pause();
    await connection.write(Buffer.from(switchingProtocols(request, {})));
    await connection.host.released();
    new RawPeer(connection, {});
    connection.socket.resume();
  },
};

async function upgrade(
  connection: RecipeConnection,
  manners: Manners,
  headers: Record<string, string> = {},
): Promise<RawPeer> {
  const request = await requested(connection);
  const all = { ...headers, ...connection.host.options.headers };
  await connection.write(Buffer.from(switchingProtocols(request, all), "latin1"));
  return new RawPeer(connection, manners);
}

async function raw(connection: RecipeConnection): Promise<void> {
  const { answers, frames = "", headers = {}, pieces, repeat, then, wait } =
    connection.host.options;
  const manners: Manners = answers === true ? {} : { pong: false, close: "ignore" };
  const request = await requested(connection);
  const start = Buffer.from(switchingProtocols(request, headers), "latin1");
  const bytes = fromHex(frames);
  const waits = wait !== undefined && wait !== "none";
  // Without a wait the frames are in the same packet as the 101, which the protocol allows.
  const peer = new RawPeer(connection, manners);
  connection.endsWithClient = true;
  if (waits) await connection.writePieces(start, pieces);
  await waited(peer);
  await connection.writePieces(waits ? bytes : Buffer.concat([start, bytes]), pieces);
  if (repeat !== undefined) await connection.writeForever(fromHex(repeat));
  connection.finish(then);
}

async function http(connection: RecipeConnection): Promise<void> {
  const request = await requested(connection);
  const { options } = connection.host;
  const { body = "", headers = {}, pieces, repeat, status = 200, then = "end" } = options;
  connection.onBytes(() => {});
  if (options.wait === "release") await connection.host.released();
  const length = repeat === undefined ? { "Content-Length": `${Buffer.byteLength(body)}` } : {};
  const statusLine = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`;
  const text = options.response?.replaceAll("{accept}", acceptFor(request));
  const response = text === undefined
    ? Buffer.from(head(statusLine, { ...length, Connection: "close", ...headers }) + body)
    : Buffer.from(text, "latin1");
  await connection.writePieces(response, pieces);
  if (repeat !== undefined) await connection.writeForever(Buffer.from(repeat, "latin1"));
  connection.finish(then);
}

async function answerWithAccept(
  connection: RecipeConnection,
  accept: string | undefined,
): Promise<void> {
  await requested(connection);
  connection.onBytes(() => {});
  const lines = accept === undefined ? {} : { "Sec-WebSocket-Accept": accept };
  const headers = { Upgrade: "websocket", Connection: "Upgrade", ...lines };
  await connection.write(Buffer.from(head("HTTP/1.1 101 Switching Protocols", headers)));
}

function dataFrame(message: RecipeMessage): Uint8Array {
  const opcode = typeof message === "string" ? opcodes.text : opcodes.binary;
  return frame({ opcode, payload: content(message) });
}
