import { isPromiseLike } from "../realm/kinds.ts";
import type { Capabilities } from "../web_socket/capabilities.ts";
import type { Clock } from "../web_socket/clock.ts";
import { MAX_REDIRECTS } from "../web_socket/connect_checks.ts";
import type { ConnectOptions, ConnectRequest } from "../web_socket/connect_options.ts";
import { ConnectError, type HandshakeResponse } from "../web_socket/errors.ts";
import { shownUrl } from "../web_socket/shown_url.ts";
import { ProtocolChannel } from "../web_socket/protocol_channel.ts";
import type { Dial } from "./dial.ts";
import type * as dialling from "./dialling.ts";
import { NET_CAPABILITIES } from "./net_capabilities.ts";
import type { Target } from "./redirect.ts";
import { readTlsOptions } from "./tls_options.ts";

/** What makes connections, loaded. */
export type Dialling = typeof dialling;

/** Our own implementation of RFC 6455 over a connection that it dials itself. */
export class NetChannel extends ProtocolChannel {
  readonly #options: ConnectOptions;
  /** How many redirects may still be followed; `null`: none ever. */
  #redirects: number | null;
  #target: Target;
  #dialling: Dialling | null = null;
  #dial: Dial | null = null;
  #isRef = true;

  private constructor(request: ConnectRequest, options: ConnectOptions, clock: Clock) {
    super("client", options, clock);
    const { followRedirects = false, origin, tls } = options;
    const most = followRedirects === true ? MAX_REDIRECTS : Number(followRedirects);
    this.#redirects = most === 0 ? null : most;
    this.#options = options;
    this.#target = { request, origin, tls: tls === undefined ? tls : readTlsOptions(tls) };
  }

  /**
   * Connects.
   *
   * @param request Where to, and with what.
   * @param options See {@linkcode ConnectOptions}.
   * @param clock Where times come from.
   * @param dialling What makes the connection, or the promise of it.
   */
  static connect(
    request: ConnectRequest,
    options: ConnectOptions,
    clock: Clock,
    dialling: Dialling | PromiseLike<Dialling>,
  ): NetChannel {
    const channel = new NetChannel(request, options, clock);
    channel.bound(options, () => channel.#phase);
    if (isPromiseLike(dialling)) {
      dialling.then((it) => channel.#begin(it), (error) => channel.#notLoaded(error));
    } else channel.#begin(dialling);
    return channel;
  }

  get #phase(): string {
    return this.#dialling === null ? "dns" : this.#dial?.phase ?? "handshake";
  }

  #notLoaded(cause: unknown): void {
    const message = `Cannot connect to ${this.url}: a module can't be loaded`;
    this.fail(new ConnectError(message, { cause }));
  }

  #begin(dialling: Dialling): void {
    this.#dialling = dialling;
    if (this.state !== "closed") void this.#attempt(dialling);
  }

  override get capabilities(): Capabilities {
    return NET_CAPABILITIES;
  }

  /** Where it is connected to, or tries to: where redirects have led. */
  override get url(): string {
    return shownUrl(this.#target.request.url);
  }

  protected override get transport(): string {
    return "net";
  }

  override ref(): void {
    this.#isRef = true;
    this.#dial?.ref();
    super.ref();
  }

  override unref(): void {
    this.#isRef = false;
    this.#dial?.unref();
    super.unref();
  }

  /** Dials, and begins the handshake. Nothing of it throws: the channel fails. */
  async #attempt({ Dial, SocketTransport }: Dialling): Promise<void> {
    const { request, origin, tls } = this.#target;
    const dial = this.#dial = new Dial(request.url, { ...this.#options, tls });
    if (!this.#isRef) dial.unref();
    try {
      const transport = new SocketTransport(await dial.connect());
      this.#dial = null;
      if (!this.#isRef) transport.unref();
      this.beginWithHandshake(transport, { request, origin });
    } catch (error) {
      this.#dial = null;
      this.fail(error);
    }
  }

  protected override destroyTransport(): void {
    this.#dial?.destroy();
    super.destroyTransport();
  }

  protected override wantsBody(status: number): boolean {
    return this.#redirects === null || this.#dialling?.isRedirect(status) !== true;
  }

  protected override onRefused(error: ConnectError): boolean {
    const { response } = error;
    const dialling = this.#dialling;
    const refusal = dialling?.refusedByAlert(this.#target.request.url, error) ?? null;
    if (refusal !== null) {
      this.fail(refusal);
      return true;
    }
    if (this.#redirects === null || dialling === null || response === null) return false;
    if (!dialling.isRedirect(response.status)) return false;
    const next = this.#next(response, dialling);
    if (typeof next === "string") {
      const { url } = this.#target.request;
      this.fail(
        dialling.dialError(url, {
          phase: "handshake",
          response,
          fault: next,
          cause: error,
          retryable: false,
        }),
      );
      return true;
    }
    this.#target = next;
    this.#redirects--;
    void this.#attempt(dialling);
    return true;
  }

  #next(
    response: HandshakeResponse,
    { followRedirect, originOf }: Dialling,
  ): Target | string {
    if (this.#redirects === 0) return "too many redirects";
    const next = followRedirect(this.#target, response);
    if (typeof next === "string" || this.#options.socketPath === undefined) return next;
    const isSame = originOf(next.request.url) === originOf(this.#target.request.url);
    return isSame ? next : "the redirect leads away from the socket";
  }
}
