import { NativeChannel } from "./native/native_channel.ts";
import { firstUnsupported } from "./native/native_capabilities.ts";
import { unsupported } from "./native/missing.ts";
import { hasNet } from "./net/builtins.ts";
import { socketOwner } from "./native/socket_owner.ts";
import { connectNet, type Dialling } from "./net/connect_net.ts";
import { type Clock, systemClock } from "./web_socket/clock.ts";
import { type ConnectRequest, parseConnect } from "./web_socket/connect_request.ts";
import type { ConnectOptions } from "./web_socket/options.ts";
import { readConnectOptions } from "./web_socket/read_options.ts";
import type { WebSocketChannel } from "./web_socket/web_socket_channel.ts";

/**
 * Connects with the first transport that supports the options: the global `WebSocket`, unless it is Node's
 * own, then this package's own transport over `node:net`. If neither supports them, the channel fails:
 * an option is never ignored.
 *
 * @param url The URL.
 * @param given The user's options.
 * @param clock The source of times.
 * @throws {SyntaxError | TypeError | RangeError} If an argument is malformed.
 */
export function connect(
  url: string | URL,
  given?: ConnectOptions,
  clock: Clock = systemClock,
): WebSocketChannel {
  const options = readConnectOptions(given);
  const request = parseConnect(url, options);
  const choice = choose(options, request);
  if (choice === "native") return NativeChannel.connect(request, options, clock);
  if (choice === "net") {
    return connectNet(request, options, clock, { dialling: dialling ?? loadDialling() });
  }
  return NativeChannel.failed(unsupported(choice.missing, options), { url: request.url, clock });
}

let dialling: Dialling | null = null;

/** Loads the code for TCP connections. A page never loads it, and a bundler can split it off. */
async function loadDialling(): Promise<Dialling> {
  return dialling = await import("./net/dialer.ts");
}

function choose(
  options: ConnectOptions,
  request: ConnectRequest,
): "native" | "net" | { missing: string } {
  const { transport = "auto" } = options;
  if (transport === "net") return hasNet() ? "net" : { missing: "net" };
  const missing = firstUnsupported(options, request);
  // Node's own `WebSocket` doesn't report why an attempt failed.
  const isMute = missing === null && socketOwner() === "node";
  if (transport === "auto" && (missing !== null || isMute) && hasNet()) return "net";
  return missing === null ? "native" : { missing };
}
