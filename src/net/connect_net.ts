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
import { type Opened, openHandshake } from "../web_socket/open_handshake.ts";
import { shownUrl } from "../web_socket/shown_url.ts";
import { offeredCompression, speak } from "../web_socket/speaking.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type * as dialling from "./dialling.ts";
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
  core.bound(options, () => connecting.phase);
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
  /** What it is doing. */
  #phaseOf: () => string = () => "dns";

  constructor(request: ConnectRequest, options: ConnectOptions, clock: Clock) {
    const { origin, tls } = options;
    this.#options = options;
    this.#target = { request, origin, tls: tls === undefined ? tls : readTlsOptions(tls) };
    this.core = new ChannelCore(options, clock, {
      transport: "net",
      capabilities: NET_CAPABILITIES,
      // Where redirects have led.
      url: () => shownUrl(this.#target.request.url),
    });
  }

  get phase(): string {
    return this.#phaseOf();
  }

  notLoaded(cause: unknown): void {
    const message = `Cannot connect to ${this.core.identity.url()}: a module can't be loaded`;
    this.core.failToOpen(new ConnectError(message, { cause }));
  }

  /** Connects. Nothing of it throws: the channel fails. */
  async run(dialling: Dialling): Promise<void> {
    const { followRedirects = false } = this.#options;
    let left = followRedirects === true ? MAX_REDIRECTS : Number(followRedirects);
    const follows = left > 0;
    try {
      while (this.core.state !== "closed") {
        const next = await this.#attempt(dialling, follows);
        if (next === null) return;
        this.#follow(next, left, dialling);
        left--;
      }
    } catch (error) {
      this.core.failToOpen(error);
    }
  }

  /** @returns The refusal that may lead elsewhere; `null` when the channel is open, or over. */
  async #attempt(dialling: Dialling, follows: boolean): Promise<ConnectError | null> {
    const { Dial, SocketWire, isRedirect, refusedByAlert } = dialling;
    const { request, origin, tls } = this.#target;
    const { closeTimeout = DEFAULT_CLOSE_TIMEOUT, compression, userAgent } = this.#options;
    const { core } = this;
    const dial = new Dial(request.url, { ...this.#options, tls }, core.clock);
    core.opener = dial;
    this.#phaseOf = () => dial.phase;
    const wire = new SocketWire(await dial.connect());
    this.#phaseOf = () => "handshake";
    const exchange = new Exchange(wire, { clock: core.clock, ms: closeTimeout });
    if (core.state === "closed") {
      exchange.destroy();
      return null;
    }
    core.opener = exchange;
    try {
      const opened = await openHandshake(exchange, {
        request,
        origin,
        userAgent,
        compression: offeredCompression(compression),
        wantsBody: (status) => !follows || !isRedirect(status),
      });
      this.#speak(exchange, opened);
      return null;
    } catch (error) {
      exchange.destroy();
      if (!(error instanceof ConnectError)) throw error;
      const refusal = refusedByAlert(request.url, error);
      if (refusal !== null) throw refusal;
      if (!follows || error.response === null || !isRedirect(error.response.status)) throw error;
      return error;
    }
  }

  #speak(exchange: Exchange, { agreement, response }: Opened): void {
    speak(this.core, exchange, { side: "client", agreement, response, options: this.#options });
  }

  #follow(refusal: ConnectError, left: number, dialling: Dialling): void {
    const { url } = this.#target.request;
    const next = left === 0 ? "too many redirects" : this.#next(refusal, dialling);
    if (typeof next !== "string") {
      this.#target = next;
      return;
    }
    const { response } = refusal;
    throw dialling.dialError(url, {
      phase: "handshake",
      response,
      fault: next,
      cause: refusal,
      retryable: false,
    });
  }

  #next({ response }: ConnectError, { followRedirect, originOf }: Dialling): Target | string {
    if (response === null) return "there is no answer";
    const next = followRedirect(this.#target, response);
    if (typeof next === "string" || this.#options.socketPath === undefined) return next;
    const isSame = originOf(next.request.url) === originOf(this.#target.request.url);
    return isSame ? next : "the redirect leads away from the socket";
  }
}
