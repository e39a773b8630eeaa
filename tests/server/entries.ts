/** Every entry point of this package's servers, each as a small echo server for a test. */

import { assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import { createServer } from "node:http";
import { createServer as createHttp2Server, type Http2Session } from "node:http2";
import type { Server } from "node:net";
import { acceptStreams } from "../../src/http2/mod.ts";
import {
  acceptUpgrade,
  type ServerOptions,
  type ServerWebSocketChannel,
  WebSocketServer,
} from "../../src/server/mod.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { startFront } from "../http2/front.ts";
import { closeServer, listen } from "../support/loopback.ts";
import { upgradeOnBun, upgradeOnDeno } from "./platform_servers.ts";

/** A listening server, and the channels that it has accepted or refused. */
export interface EntryServer {
  /** Its URL, such as `"ws://127.0.0.1:8080"`. */
  readonly url: string;
  /** The channels of accepted upgrades. */
  readonly channels: readonly ServerWebSocketChannel[];
}

/** An entry point. */
export interface Entry {
  /** The function that a user calls. */
  readonly name: "bind" | "acceptUpgrade" | "acceptStreams" | "upgradeWebSocket" | "bunWebSocket";
  /** Whether this package reads the frames itself. */
  readonly isOwn: boolean;
  /** Why the entry point can't run here; `null` if it can. */
  readonly missing: string | null;
  /** Runs a body against an echo server on a loopback address, and closes the server. */
  run(options: ServerOptions, body: (server: EntryServer) => Promise<void>): Promise<void>;
}

/** Runs the test's handler, or echoes without one. */
function echo(
  channel: ServerWebSocketChannel | null,
  channels: ServerWebSocketChannel[],
  { handler }: ServerOptions,
): void {
  if (channel === null) return;
  channels.push(channel);
  if (handler !== undefined) return;
  channel.stream.listen((message) => channel.sink.add(message));
}

/** How long a server may take to end, in milliseconds: a longer wait would hide why the body failed. */
const PATIENCE = 30_000;

/** Runs the body, then ends what is left. An error of the body takes precedence over one of the cleanup. */
async function serve(
  port: number,
  channels: ServerWebSocketChannel[],
  { name, body, stop }: {
    name: Entry["name"];
    body: (server: EntryServer) => Promise<void>;
    stop: () => Promise<unknown>;
  },
): Promise<void> {
  const failures: unknown[] = [];
  const fail = (error: unknown): void => void failures.push(error);
  await body({ url: `ws://127.0.0.1:${port}`, channels }).catch(fail);
  for (const channel of channels) channel.terminate();
  await deadline(stop(), PATIENCE).catch((cause: unknown) =>
    fail(new Error(`The server of ${name} does not end`, { cause }))
  );
  if (failures.length > 0) throw failures[0];
}

const bind: Entry["run"] = async (options, body) => {
  const server = await WebSocketServer.bind(options);
  const channels: ServerWebSocketChannel[] = [];
  const serving = (async () => {
    if (options.handler !== undefined) return;
    for await (const channel of server) echo(channel, channels, options);
  })();
  const stop = (): Promise<unknown> => Promise.all([server.close({ drainTimeout: 1000 }), serving]);
  await serve(server.address.port, channels, { name: "bind", body, stop });
};

const accept: Entry["run"] = async (options, body) => {
  const server = createServer();
  const channels: ServerWebSocketChannel[] = [];
  server.on("upgrade", (request, socket, head) => {
    const channel = acceptUpgrade(request, socket, head, options);
    channel.ready.then(() => echo(channel, channels, options), () => {});
  });
  const port = await listen(server);
  const stop = (): Promise<unknown> => closeServer(server);
  await serve(port, channels, { name: "acceptUpgrade", body, stop });
};

/** Over HTTP/2. The tests speak HTTP/1.1 with a proxy in front of it. */
const streams: Entry["run"] = async (options, body) => {
  const server = createHttp2Server();
  const channels: ServerWebSocketChannel[] = [];
  const sessions = new Set<Http2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  acceptStreams(server, {
    ...options,
    handler(channel) {
      channels.push(channel);
      if (options.handler !== undefined) return options.handler(channel);
      channel.stream.listen((message) => channel.sink.add(message));
    },
  });
  const front = await startFront(await listen(server as unknown as Server));
  const stop = async (): Promise<void> => {
    await front.close();
    for (const session of sessions) session.destroy();
    await closeServer(server);
  };
  await serve(front.port, channels, { name: "acceptStreams", body, stop });
};

const onDeno: Entry["run"] = async (options, body) => {
  const channels: ServerWebSocketChannel[] = [];
  const server = upgradeOnDeno(options, (channel) => echo(channel, channels, options));
  // Deno's shutdown may never end once a client has left during its upgrade.
  const stop = async (): Promise<void> => await server.abort?.();
  await serve(server.port, channels, { name: "upgradeWebSocket", body, stop });
};

const onBun: Entry["run"] = async (options, body) => {
  const channels: ServerWebSocketChannel[] = [];
  const server = upgradeOnBun(options, (channel) => echo(channel, channels, options));
  await serve(server.port, channels, { name: "bunWebSocket", body, stop: () => server.stop(true) });
};

/** All entry points, including those that this platform lacks, so that a report names them. */
export const ENTRIES: readonly Entry[] = [
  { name: "bind", isOwn: true, missing: null, run: bind },
  { name: "acceptUpgrade", isOwn: true, missing: null, run: accept },
  { name: "acceptStreams", isOwn: true, missing: null, run: streams },
  {
    name: "upgradeWebSocket",
    isOwn: false,
    missing: platform() === "deno" ? null : "Deno.serve is Deno's",
    run: onDeno,
  },
  {
    name: "bunWebSocket",
    isOwn: false,
    missing: platform() === "bun" ? null : "Bun.serve is Bun's",
    run: onBun,
  },
];

/** Entry points for which a test can't pass, and why. */
export type LeftOutEntries = { readonly [Name in Entry["name"]]?: string };

/**
 * Defines a test for each entry point. If this platform lacks one, the title says why it is left out.
 *
 * @param leftOut The test must fail for these entry points: otherwise the reason is out of date.
 */
export function testEntries(
  title: string,
  fn: (entry: Entry) => Promise<void>,
  leftOut: LeftOutEntries = {},
): void {
  for (const entry of ENTRIES) {
    const why = leftOut[entry.name];
    const reason = entry.missing ?? why;
    Deno.test({
      name: `${title}: ${entry.name}${reason === undefined ? "" : ` (left out: ${reason})`}`,
      ignore: entry.missing !== null,
      fn: async () => {
        if (why === undefined) return await fn(entry);
        await assertRejects(() => fn(entry), Error, undefined, "it can be taken in");
      },
    });
  }
}
