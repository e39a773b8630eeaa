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
   * The second argument of `Deno.serve`'s handler: it has the client's address. Without it every request counts as one
   * that came in by a loopback address, for which the default of `hosts` is strict.
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

/** What `Deno.upgradeWebSocket` has no setting for. */
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
 * Answers an upgrade request of `Deno.serve`, over Deno's own WebSocket: with the checks of
 * {@linkcode acceptUpgrade}, and what a native socket can do.
 *
 * Deno pings by itself: `pingInterval` is rounded up to whole seconds. It has no inbound
 * backpressure (`maxQueueSize` bounds what waits), and neither compression nor a limit for messages.
 * `WebSocketServer` has all of that, on Deno, too.
 *
 * `Deno.serve` keeps a connection whatever `Connection: close` says, unless a response is shorter than
 * it announces. So that no further requests are read from it, the response to a refused upgrade
 * announces one byte more than it has: a client gets the status and the whole text, then the end.
 *
 * **Always return `response` from the handler. If the handler throws after this call, or returns another
 * response, Deno ends the whole server:** it stops listening, and `Deno.serve(…).finished` fulfils. The
 * channel's `ready` then rejects with a `TimeoutError` after `handshakeTimeout`, or after a minute if that is 0.
 *
 * Deno answers a client's Close as soon as it has read it. Read with `listen` to answer the message right in
 * front of a Close: a `for await` loop gets that message when nothing can be sent any more.
 *
 * @param request The request.
 * @param given See {@linkcode UpgradeWebSocketOptions}. By default web pages of other hosts are
 * refused.
 * @returns The response to return, and the channel, connecting; `null` when the upgrade is
 * refused. It rejects with an `UnsupportedError` when an option can't be honoured, and elsewhere
 * than on Deno; and with a `RangeError`, `TypeError` or `SyntaxError` when one is malformed.
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
    throw new UnsupportedError("upgradeWebSocket", platform(), "It is for Deno.serve");
  }
  // Before the address is read: that of an upgraded request is no longer known.
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
  // Deno's socket doesn't know what was agreed on this side.
  Object.defineProperty(socket, "protocol", { value: protocol ?? "" });
  reportMissingCloseAs1006(socket);
  for (const [name, value] of acceptance.headers) response.headers.append(name, value);
  return { response, channel: platformChannel<Context>(socket, upgrade, settings) };
}

/**
 * RFC 9112 §9.6: behind `Connection: close` no further request is read. Deno would read it; what a proxy
 * in front of it takes for frames must not become one.
 */
function closingResponse(request: Request, refusal: Refusal): Response {
  const response = refusalResponse(refusal);
  if (!request.headers.has("upgrade")) return response;
  const body = new TextEncoder().encode(refusal.body);
  const headers = new Headers(response.headers);
  headers.set("Content-Length", String(body.length + 1));
  const { status, statusText } = response;
  // A stream, as Deno corrects the length of anything else.
  return new Response(new Blob([body]).stream(), { status, statusText, headers });
}

/**
 * RFC 6455 §7.1.5: where no Close frame came the code is 1006. Deno gives its own, 1001, to a client that
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
