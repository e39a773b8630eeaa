import { abnormalClosure } from "../../status.ts";
import type { WebSocketEventLike, WebSocketLike } from "../native/web_socket_like.ts";
import type { Refusal } from "../handshake/server_handshake.ts";
import { type OptionKinds, readOptions } from "../stream_channel/options.ts";
import { claim } from "./claim.ts";
import { HANDLERS } from "./handler.ts";
import { systemClock } from "../web_socket/clock.ts";
import { UnsupportedError } from "../web_socket/errors.ts";
import { platform } from "../web_socket/platform.ts";
import {
  checkPlatformOptions,
  PLATFORM_KINDS,
  platformChannel,
  PlatformUpgrade,
  type PlatformUpgradeOptions,
  taken,
  type UpgradeResult,
} from "./platform_upgrade.ts";
import { refusalResponse } from "./refusals.ts";

/** Options of {@linkcode upgradeWebSocket}. */
export interface UpgradeWebSocketOptions<Context = unknown>
  extends PlatformUpgradeOptions<Context> {
  /**
   * The second argument of `Deno.serve`'s handler, which has the client's address. Without it every request counts as
   * one to a loopback address, for which the default of `hosts` is strict.
   */
  info?: { readonly remoteAddr?: object } | undefined;
}

const UPGRADE_KINDS: OptionKinds<UpgradeWebSocketOptions> = { ...PLATFORM_KINDS, info: "object" };

interface DenoLike {
  upgradeWebSocket(
    request: Request,
    options: { protocol?: string; idleTimeout: number },
  ): { response: Response; socket: WebSocketLike };
}

/** Options for which `Deno.upgradeWebSocket` has no setting. */
const UNSUPPORTED = [
  "compression",
  "maxMessageSize",
  "pingTimeout",
  "onPing",
  "onPong",
  "autoPong",
  "streamLargerThan",
  "invalidText",
  "afterClose",
] as const;

/**
 * Answers an upgrade request of `Deno.serve`, over Deno's own WebSocket. It has the checks of
 * {@linkcode acceptUpgrade}, and the abilities of a native socket.
 *
 * Deno pings by itself: `pingInterval` is rounded up to whole seconds. Deno's socket has no incoming backpressure
 * (`maxQueueSize` limits the received messages that are queued), no compression, and no limit for the size of messages.
 * `WebSocketServer` supports all of this on Deno, too.
 *
 * `Deno.serve` ignores `Connection: close`, unless a response is shorter than it announces. To prevent Deno from
 * reading further requests, the response to a refused upgrade announces one byte more than it has. The client gets the
 * status and the whole text, then the end.
 *
 * **Always return `response` from the handler. If the handler throws after this call, or returns another response, Deno
 * stops the whole server:** it stops listening, and `Deno.serve(…).finished` fulfils. The channel's `ready` then
 * rejects with a `TimeoutError` after `handshakeTimeout`, or after a minute if that is 0.
 *
 * Deno answers a client's Close as soon as it has read it. To answer the message directly before a Close, read with
 * `listen`: a `for await` loop gets that message too late to send anything.
 *
 * @param request The request.
 * @param given See {@linkcode UpgradeWebSocketOptions}. By default web pages of other hosts are refused.
 * @returns The response to return, and the connecting channel, or `null` if the upgrade is refused. It rejects with an
 * `UnsupportedError` when Deno can't support an option, and on other platforms. It rejects with a `RangeError`,
 * `TypeError` or `SyntaxError` when an option is malformed.
 *
 * @example
 * ```ts ignore
 * import { upgradeWebSocket } from "@web-socket/channel/server";
 *
 * Deno.serve(async (request, info) => {
 *   const { response, channel } = await upgradeWebSocket(request, { info });
 *   channel?.stream.listen((message) => channel.sink.add(message));
 *   return response;
 * });
 * ```
 */
export async function upgradeWebSocket<Context = undefined>(
  request: Request,
  given?: UpgradeWebSocketOptions<Context>,
): Promise<UpgradeResult<Context>> {
  const options = readOptions(given, UPGRADE_KINDS, { elsewhere: HANDLERS });
  const settings = checkPlatformOptions(options, UNSUPPORTED);
  const { Deno } = globalThis as { Deno?: DenoLike };
  if (platform() !== "deno" || Deno?.upgradeWebSocket === undefined) {
    throw new UnsupportedError(
      "upgradeWebSocket",
      platform(),
      "Call it in a handler of Deno.serve",
    );
  }
  // Before the address is read, because Deno no longer knows it after an upgrade.
  claim(request);
  const { hostname = null, port = null } = (options.info?.remoteAddr ?? {}) as {
    hostname?: string;
    port?: number;
  };
  const upgrade = new PlatformUpgrade(request, { address: hostname, port });
  const { acceptance, refusal } = await upgrade.decide(settings, systemClock);
  if (acceptance === null) return { response: closingResponse(request, refusal), channel: null };
  const { protocol } = acceptance;
  const { response, socket } = taken(() =>
    Deno.upgradeWebSocket(request, {
      ...(protocol === null ? {} : { protocol }),
      idleTimeout: Math.ceil(settings.pingInterval / 1000),
    }), () => settings.limits?.leave(upgrade.request));
  // Deno's socket doesn't report the subprotocol on the server side.
  Object.defineProperty(socket, "protocol", { value: protocol ?? "" });
  reportMissingCloseAs1006(socket);
  for (const [name, value] of acceptance.headers) response.headers.append(name, value);
  return { response, channel: platformChannel<Context>(socket, upgrade, settings) };
}

/**
 * Creates the response to a refused upgrade, after which Deno reads no further request. RFC 9112 §9.6 says the same of
 * `Connection: close`, but Deno ignores it. What a proxy takes for frames must not become a request.
 */
function closingResponse(request: Request, refusal: Refusal): Response {
  const response = refusalResponse(refusal);
  if (!request.headers.has("upgrade")) return response;
  const body = new TextEncoder().encode(refusal.body);
  const headers = new Headers(response.headers);
  headers.set("Content-Length", String(body.length + 1));
  const { status, statusText } = response;
  // A stream, because Deno corrects the length of any other body.
  return new Response(new Blob([body]).stream(), { status, statusText, headers });
}

/**
 * Makes the socket report 1006 when no Close frame was received (RFC 6455 §7.1.5). Deno reports 1001 for a client that
 * doesn't answer its pings.
 */
function reportMissingCloseAs1006(socket: WebSocketLike): void {
  const add = socket.addEventListener.bind(socket);
  socket.addEventListener = (type: string, listener: (event: WebSocketEventLike) => void) => {
    if (type !== "close") return add(type, listener);
    add(type, (event: WebSocketEventLike) => {
      listener(event.wasClean === false ? { code: abnormalClosure, wasClean: false } : event);
    });
  };
}
