/** The servers of the runtimes themselves. */

import type { UpgradeResult } from "../src/server/platform_upgrade.ts";
import { inTurns, type Running } from "./servers.ts";

interface DenoSocket {
  binaryType: string;
  readonly bufferedAmount: number;
  onopen: (() => void) | null;
  onmessage: ((event: { data: string | ArrayBuffer }) => void) | null;
  onclose: (() => void) | null;
  send(message: string | ArrayBufferView | ArrayBuffer): void;
}

interface DenoLike {
  serve(
    options: { port: number; hostname: string; onListen(): void },
    handler: (request: Request) => Response | Promise<Response>,
  ): { readonly addr: { readonly port: number } };
  upgradeWebSocket(
    request: Request,
    options: { idleTimeout: number },
  ): { response: Response; socket: DenoSocket };
}

/**
 * Deno's own server.
 *
 * @param upgrade Uses our channels over it, instead of its own sockets.
 */
export function denoServe(
  upgrade?: (request: Request) => Promise<UpgradeResult>,
): Promise<Running> {
  const { Deno } = globalThis as unknown as { Deno: DenoLike };
  const sockets = new Set<DenoSocket>();
  const own = (request: Request): Response => {
    const { response, socket } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    socket.binaryType = "arraybuffer";
    socket.onopen = () => sockets.add(socket);
    socket.onclose = () => sockets.delete(socket);
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  };
  const ours = async (request: Request): Promise<Response> => {
    const { response, channel } = await upgrade!(request);
    channel?.stream.listen((message) => channel.sink.add(message));
    return response;
  };
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    upgrade === undefined ? own : ours,
  );
  return Promise.resolve({
    port: server.addr.port,
    broadcast: (count, message, perTurn) =>
      inTurns(count, perTurn, () => sockets.forEach((socket) => socket.send(message))),
    connections: () => sockets.size,
    waiting: () => Math.max(0, ...[...sockets].map(({ bufferedAmount }) => bufferedAmount)),
  });
}

interface BunSocket {
  send(message: string | Uint8Array): number;
  subscribe(topic: string): void;
}

interface BunLike {
  serve(options: object): {
    readonly port: number;
    readonly pendingWebSockets: number;
    publish(topic: string, data: Uint8Array): void;
  };
}

/** Bun's own server. */
export function bunServe(): Promise<Running> {
  const { Bun } = globalThis as unknown as { Bun: BunLike };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request: Request, it: { upgrade(request: Request): boolean }) =>
      it.upgrade(request) ? undefined : new Response(null, { status: 426 }),
    websocket: {
      maxPayloadLength: 2 ** 30,
      backpressureLimit: 2 ** 30,
      idleTimeout: 0,
      perMessageDeflate: false,
      open: (socket: BunSocket) => socket.subscribe("all"),
      message: (socket: BunSocket, message: string | Uint8Array) => void socket.send(message),
    },
  });
  return Promise.resolve({
    port: server.port,
    broadcast: (count, message, perTurn) =>
      inTurns(count, perTurn, () => server.publish("all", message)),
    waiting: () => 0,
    connections: () => server.pendingWebSockets,
  });
}
