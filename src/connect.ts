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
 * Connects with the transport that can do what the options ask for: the global `WebSocket`, unless it
 * is Node's own, before our own implementation over `node:net`. What neither can do is never ignored:
 * the channel fails.
 *
 * @param url Where to.
 * @param given See {@linkcode ConnectOptions}.
 * @param clock Where times come from.
 * @throws {SyntaxError | TypeError | RangeError} When an argument is malformed.
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

/** Only who dials needs it: a page never loads it, and a bundler can split it off. */
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
  // Node's own says nothing of why an attempt failed.
  const isMute = missing === null && socketOwner() === "node";
  if (transport === "auto" && (missing !== null || isMute) && hasNet()) return "net";
  return missing === null ? "native" : { missing };
}
