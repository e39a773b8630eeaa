/** Servers of Deno and Bun on loopback that upgrade every request. */

import {
  type BunServer,
  bunWebSocket,
  type PlatformUpgradeOptions,
  type ServerWebSocketChannel,
  upgradeWebSocket,
  type UpgradeWebSocketOptions,
} from "../../src/server/mod.ts";

/** The platform's own server. */
export interface PlatformServer {
  readonly port: number;
  /** Stops the server. On Bun, the connections end only if `force` is true. */
  stop(force?: boolean): Promise<void>;
  /** On Deno: ends the server and its connections at once. Deno's part of a connection may outlive the server. */
  abort?(): Promise<void>;
}

interface Globals {
  Deno: {
    serve(
      options: { port: number; hostname: string; onListen: () => void; signal: AbortSignal },
      handler: (request: Request, info: { remoteAddr: object }) => Promise<Response>,
    ): { addr: { port: number }; finished: Promise<void>; shutdown(): Promise<void> };
  };
  Bun: {
    serve(options: {
      port: number;
      hostname: string;
      fetch(request: Request, server: BunServer): Promise<Response | undefined>;
      websocket: object;
    }): { port: number; stop(force?: boolean): Promise<void> };
  };
}

const globals = globalThis as unknown as Globals;

/** Called with the channel of each upgrade, and with `null` for a refused one. */
type OnChannel = (channel: ServerWebSocketChannel | null) => void;

/** Runs Deno's own server. */
export function serveDeno(
  handler: (request: Request, info: { remoteAddr: object }) => Promise<Response>,
): PlatformServer {
  const ending = new AbortController();
  const { signal } = ending;
  const server = globals.Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {}, signal },
    handler,
  );
  return {
    port: server.addr.port,
    stop: () => server.shutdown(),
    abort() {
      ending.abort();
      return server.finished;
    },
  };
}

/** Runs Bun's own server. */
export function serveBun(
  fetch: (request: Request, server: BunServer) => Promise<Response | undefined>,
  websocket: object,
): PlatformServer {
  const server = globals.Bun.serve({ port: 0, hostname: "127.0.0.1", fetch, websocket });
  return { port: server.port, stop: (force) => server.stop(force) };
}

/** Upgrades every request on Deno's own server. */
export function upgradeOnDeno(
  options: UpgradeWebSocketOptions,
  onChannel: OnChannel,
): PlatformServer {
  return serveDeno(async (request, info) => {
    const { response, channel } = await upgradeWebSocket(request, { ...options, info });
    onChannel(channel);
    return response;
  });
}

/** Upgrades every request on Bun's own server. */
export function upgradeOnBun(
  options: PlatformUpgradeOptions,
  onChannel: OnChannel,
): PlatformServer {
  const { upgrade, websocket } = bunWebSocket(options);
  return serveBun(async (request, server) => {
    const { response, channel } = await upgrade(request, server);
    onChannel(channel);
    return response;
  }, websocket);
}
