import type { WebSocketLike } from "../native/web_socket_like.ts";
import { systemClock } from "../web_socket/clock.ts";
import { UnsupportedError } from "../web_socket/errors.ts";
import { platform } from "../web_socket/platform.ts";
import {
  checkPlatformOptions,
  extraFields,
  platformChannel,
  PlatformUpgrade,
  type PlatformUpgradeOptions,
  refusalResponse,
  type UpgradeResult,
} from "./platform_upgrade.ts";

/** Options of {@linkcode upgradeWebSocket}. */
export interface UpgradeWebSocketOptions extends PlatformUpgradeOptions {
  /** The second argument of `Deno.serve`'s handler: tells where the request came from. */
  info?: { readonly remoteAddr?: object } | undefined;
}

interface DenoLike {
  upgradeWebSocket(
    request: Request,
    options: { protocol?: string; idleTimeout: number },
  ): { response: Response; socket: WebSocketLike };
}

/** What `Deno.upgradeWebSocket` has no setting for. */
const UNSUPPORTED = ["compression", "maxMessageSize", "pingTimeout"] as const;

/**
 * Answers an upgrade request of `Deno.serve`, over Deno's own WebSocket: with the checks of
 * {@linkcode acceptUpgrade}, and what a native socket can do.
 *
 * Deno pings by itself: `pingInterval` is rounded up to whole seconds. It has no inbound
 * backpressure (`maxQueueSize` bounds what waits), and neither compression nor a limit for messages.
 * `WebSocketServer` has all of that, on Deno, too.
 *
 * `Deno.serve` answers a refusal, but keeps the connection and reads further requests from it, whatever
 * `Connection: close` says. Behind a proxy that takes every upgrade request for a tunnel this lets
 * requests through unseen: use `WebSocketServer` or {@linkcode acceptUpgrade} there.
 *
 * @param request The request.
 * @param options See {@linkcode UpgradeWebSocketOptions}. By default web pages of other hosts are
 * refused.
 * @returns The response to give back, and the channel, connecting; `null` when the upgrade is
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
export async function upgradeWebSocket(
  request: Request,
  options: UpgradeWebSocketOptions = {},
): Promise<UpgradeResult> {
  const { Deno } = globalThis as { Deno?: Partial<DenoLike> };
  if (platform() !== "deno" || Deno?.upgradeWebSocket === undefined) {
    throw new UnsupportedError("upgradeWebSocket", platform(), "It is for Deno.serve");
  }
  const settings = checkPlatformOptions(options, UNSUPPORTED);
  const { hostname = null, port = null } = (options.info?.remoteAddr ?? {}) as {
    hostname?: string;
    port?: number;
  };
  const upgrade = new PlatformUpgrade(request, { address: hostname, port });
  const { acceptance, refusal } = await upgrade.decide(settings, systemClock);
  if (acceptance === null) return { response: refusalResponse(refusal), channel: null };
  const { protocol } = acceptance;
  const { response, socket } = Deno.upgradeWebSocket(request, {
    ...(protocol === null ? {} : { protocol }),
    idleTimeout: Math.ceil(settings.pingInterval / 1000),
  });
  // Deno's socket doesn't know what was agreed on this side.
  Object.defineProperty(socket, "protocol", { value: protocol ?? "" });
  for (const [name, value] of extraFields(acceptance.headers)) response.headers.append(name, value);
  return { response, channel: platformChannel(socket, upgrade.request, settings) };
}
