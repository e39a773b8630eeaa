import { observeRequest } from "../diagnostics/observed.ts";
import { isPromiseLike } from "../realm/kinds.ts";
import { Channel } from "../web_socket/channel.ts";
import { ChannelCore, type ChannelIdentity } from "../web_socket/channel_core.ts";
import type { Clock } from "../web_socket/clock.ts";
import type { ConnectRequest } from "../web_socket/connect_request.ts";
import {
  type ConnectOptions,
  DEFAULT_CLOSE_TIMEOUT,
  MAX_REDIRECTS,
} from "../web_socket/options.ts";
import { ConnectError } from "../web_socket/errors.ts";
import { Exchange } from "../web_socket/exchange.ts";
import { openOver } from "../web_socket/open_handshake.ts";
import { shownUrl } from "../web_socket/shown_url.ts";
import { offeredCompression, speak } from "../web_socket/speaking.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type * as dialling from "./dialer.ts";
import { NET_CAPABILITIES } from "./net_capabilities.ts";
import type { Target } from "./redirect.ts";
import { readTlsOptions } from "./tls_options.ts";

/** The loaded module that makes connections. */
export type Dialling = typeof dialling;

/**
 * Makes one attempt to connect.
 *
 * @param connecting The connecting client, with its current target.
 * @param dialling The module that makes connections.
 * @param follows Whether to follow a redirect; its body is then not read.
 * @returns The redirect to follow; `null` when the channel is open, or has ended.
 * @throws {Error} When the attempt has failed.
 */
export type ConnectAttempt = (
  connecting: Connecting,
  dialling: Dialling,
  follows: boolean,
) => Promise<ConnectError | null>;

/** The way to connect. */
export interface ConnectWay {
  /** The module that makes the connection, or a promise of it. */
  readonly dialling: Dialling | PromiseLike<Dialling>;
  /** The function that makes each attempt. Default: over HTTP/1.1. */
  readonly attempt?: ConnectAttempt;
  /** The transport's name in inspections. Default `"net"`. */
  readonly transport?: ChannelIdentity["transport"];
}

/**
 * Connects with our own implementation of RFC 6455, over a connection that it opens itself.
 *
 * @param request The target and the handshake's contents.
 * @param options See {@linkcode ConnectOptions}.
 * @param clock The clock for all timeouts.
 * @param way The way to connect.
 */
export function connectNet(
  request: ConnectRequest,
  options: ConnectOptions,
  clock: Clock,
  way: ConnectWay,
): WebSocketChannel {
  const connecting = new Connecting(request, options, clock, way);
  const { core } = connecting;
  const { dialling } = way;
  core.startConnectDeadline(options, () => connecting.progress);
  if (isPromiseLike(dialling)) {
    dialling.then((it) => connecting.run(it), (error) => connecting.notLoaded(error));
  } else void connecting.run(dialling);
  return new Channel(core);
}

/** A client's attempts to connect, redirects included. */
export class Connecting {
  readonly core: ChannelCore;
  readonly options: ConnectOptions;
  readonly #attempt: ConnectAttempt;
  #target: Target;
  /** Returns a text with the current phase, for the error of a timeout. */
  progressOf: () => string = () => "dns";

  /** Creates a client that hasn't started connecting. */
  constructor(request: ConnectRequest, options: ConnectOptions, clock: Clock, way: ConnectWay) {
    const { origin, tls } = options;
    const transport = way.transport ?? "net";
    const observed = observeRequest(request, transport, clock);
    this.options = options;
    this.#attempt = way.attempt ?? attemptUpgrade;
    this.#target = {
      request: observed.request,
      origin,
      tls: tls === undefined ? tls : readTlsOptions(tls),
    };
    this.core = new ChannelCore(options, clock, {
      transport,
      capabilities: NET_CAPABILITIES,
      // The current target, after redirects.
      url: () => shownUrl(this.#target.request.url),
    });
    this.core.observer = observed.observer;
  }

  /** The current target. */
  get target(): Target {
    return this.#target;
  }

  /** A text with the current phase. */
  get progress(): string {
    return this.progressOf();
  }

  /** Fails the channel, because the module that makes connections can't be loaded. */
  notLoaded(cause: unknown): void {
    const message = `Cannot connect to ${this.core.identity.url()}: a module can't be loaded`;
    this.core.failToOpen(new ConnectError(message, { cause }));
  }

  /** Connects. It never throws; the channel fails instead. */
  async run(dialling: Dialling): Promise<void> {
    const { followRedirects = false, onRedirect, socketPath } = this.options;
    const limit = followRedirects === true ? MAX_REDIRECTS : Number(followRedirects);
    const isPinned = socketPath !== undefined;
    // Called as a function, because it is no method of this object.
    const attempt = this.#attempt;
    try {
      for (let count = 1; this.core.state !== "closed"; count++) {
        const refusal = await attempt(this, dialling, limit > 0);
        if (refusal === null) return;
        const target = this.#target;
        const hop = { target, refusal, count, limit, onRedirect, isPinned };
        this.#target = await dialling.followRedirect(hop);
      }
    } catch (error) {
      this.core.failToOpen(error);
    }
  }
}

/** Makes one attempt over HTTP/1.1, on its own connection. */
export async function attemptUpgrade(
  connecting: Connecting,
  dialling: Dialling,
  follows: boolean,
): Promise<ConnectError | null> {
  const { Dial, SocketWire, isRedirect, refusedByAlert } = dialling;
  const { core, options, target: { request, origin, tls } } = connecting;
  const { closeTimeout = DEFAULT_CLOSE_TIMEOUT, compression } = options;
  const dial = new Dial(request.url, { ...options, tls }, core.clock);
  core.opener = dial;
  connecting.progressOf = () => dial.progress;
  const wire = new SocketWire(await dial.connect());
  connecting.progressOf = () => "handshake";
  core.connectionInfo = dial.info;
  const exchange = new Exchange(wire, { clock: core.clock, ms: closeTimeout });
  if (core.state === "closed") {
    exchange.destroy();
    return null;
  }
  try {
    await openOver(core, exchange, {
      request,
      options: { ...options, origin },
      compression: offeredCompression(compression),
      wantsBody: (status) => !follows || !isRedirect(status),
    }, speak);
    return null;
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    const refusal = refusedByAlert(request.url, error);
    if (refusal !== null) throw refusal;
    if (!follows || error.response === null || !isRedirect(error.response.status)) throw error;
    return error;
  }
}
