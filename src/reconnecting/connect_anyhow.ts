import { connect } from "../connect.ts";
import { socketOwner } from "../native/socket_owner.ts";
import { hasNet } from "../net/builtins.ts";
import type { ConnectOptions } from "../web_socket/options.ts";
import { platform } from "../web_socket/platform.ts";
import type { Connect } from "./reconnecting_core.ts";

/** The default pings, which detect a lost connection. */
const PINGS = { pingInterval: 20_000, pingTimeout: 10_000 };

/** Connects as `WebSocketChannel.connect` does, and pings if the platform supports it. */
export const connectAnyhow: Connect = (url, options, clock) => {
  const { pingInterval = canPing(options) ? PINGS.pingInterval : 0 } = options;
  const { pingTimeout = Math.min(pingInterval, PINGS.pingTimeout) } = options;
  return connect(
    url,
    pingInterval === 0 ? options : { ...options, pingInterval, pingTimeout },
    clock,
  );
};

/** Whether the transport can ping: only this package's own can, which no mock of `WebSocket` replaces. */
function canPing({ transport }: ConnectOptions): boolean {
  if (transport === "native" || platform() === "browser" || !hasNet()) return false;
  return typeof globalThis.WebSocket !== "function" || socketOwner() !== null;
}
