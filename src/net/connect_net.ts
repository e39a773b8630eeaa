import { observeRequest } from "../diagnostics/observed.ts";
import { isPromiseLike } from "../realm/kinds.ts";
import { Channel } from "../web_socket/channel.ts";
import { ChannelCore } from "../web_socket/channel_core.ts";
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

/** What makes connections, loaded. */
export type Dialling = typeof dialling;

/**
 * Connects with our own implementation of RFC 6455, over a connection that it dials itself.
 *
 * @param request Where to, and with what.
 * @param options See {@linkcode ConnectOptions}.
 * @param clock Where times come from.
 * @param dialling What makes the connection, or the promise of it.
 */
export function connectNet(
  request: ConnectRequest,
  options: ConnectOptions,
  clock: Clock,
  dialling: Dialling | PromiseLike<Dialling>,
): WebSocketChannel {
  const connecting = new Connecting(request, options, clock);
  const { core } = connecting;
  core.bound(options, () => connecting.progress);
  if (isPromiseLike(dialling)) {
    dialling.then((it) => connecting.run(it), (error) => connecting.notLoaded(error));
  } else void connecting.run(dialling);
  return new Channel(core);
}

/** A client's attempt to connect, redirects included. */
class Connecting {
  readonly core: ChannelCore;
  readonly #options: ConnectOptions;
  #target: Target;
  /** What it is doing, as a text. */
  #progressOf: () => string = () => "dns";

  constructor(request: ConnectRequest, options: ConnectOptions, clock: Clock) {
    const { origin, tls } = options;
    this.#options = options;
    const observed = observeRequest(request, "net", clock);
    this.#target = {
      request: observed.request,
      origin,
      tls: tls === undefined ? tls : readTlsOptions(tls),
    };
    this.core = new ChannelCore(options, clock, {
      transport: "net",
      capabilities: NET_CAPABILITIES,
      // Where redirects have led.
      url: () => shownUrl(this.#target.request.url),
    });
    this.core.observer = observed.observer;
  }

  get progress(): string {
    return this.#progressOf();
  }

  notLoaded(cause: unknown): void {
    const message = `Cannot connect to ${this.core.identity.url()}: a module can't be loaded`;
    this.core.failToOpen(new ConnectError(message, { cause }));
  }

  /** Connects. Nothing of it throws: the channel fails. */
  async run(dialling: Dialling): Promise<void> {
    const { followRedirects = false, onRedirect, socketPath } = this.#options;
    const limit = followRedirects === true ? MAX_REDIRECTS : Number(followRedirects);
    const isPinned = socketPath !== undefined;
    try {
      for (let count = 1; this.core.state !== "closed"; count++) {
        const refusal = await this.#attempt(dialling, limit > 0);
        if (refusal === null) return;
        const target = this.#target;
        const hop = { target, refusal, count, limit, onRedirect, isPinned };
        this.#target = await dialling.followRedirect(hop);
      }
    } catch (error) {
      this.core.failToOpen(error);
    }
  }

  /** @returns The redirect, if it is to be followed; `null` when the channel is open, or over. */
  async #attempt(dialling: Dialling, follows: boolean): Promise<ConnectError | null> {
    const { Dial, SocketWire, isRedirect, refusedByAlert } = dialling;
    const { request, origin, tls } = this.#target;
    const { closeTimeout = DEFAULT_CLOSE_TIMEOUT, compression } = this.#options;
    const { core } = this;
    const dial = new Dial(request.url, { ...this.#options, tls }, core.clock);
    core.opener = dial;
    this.#progressOf = () => dial.progress;
    const wire = new SocketWire(await dial.connect());
    this.#progressOf = () => "handshake";
    core.connectionInfo = dial.info;
    const exchange = new Exchange(wire, { clock: core.clock, ms: closeTimeout });
    if (core.state === "closed") {
      exchange.destroy();
      return null;
    }
    try {
      await openOver(core, exchange, {
        request,
        options: { ...this.#options, origin },
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
}
