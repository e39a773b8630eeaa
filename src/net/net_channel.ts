import type { Capabilities } from "../web_socket/capabilities.ts";
import type { Clock } from "../web_socket/clock.ts";
import { MAX_REDIRECTS } from "../web_socket/connect_checks.ts";
import type { ConnectOptions, ConnectRequest } from "../web_socket/connect_options.ts";
import type { ConnectError } from "../web_socket/errors.ts";
import { ProtocolChannel } from "../web_socket/protocol_channel.ts";
import { Dial } from "./dial.ts";
import { dialError } from "./dial_error.ts";
import { NET_CAPABILITIES } from "./net_capabilities.ts";
import { followRedirect, isRedirect, originOf, type Target } from "./redirect.ts";
import { SocketTransport } from "./socket_transport.ts";

/** Our own implementation of RFC 6455 over a connection that it dials itself. */
export class NetChannel extends ProtocolChannel {
  readonly #options: ConnectOptions;
  /** How many redirects may still be followed; `null`: none ever. */
  #redirects: number | null;
  #target: Target;
  #dial: Dial | null = null;
  #isRef = true;

  private constructor(request: ConnectRequest, options: ConnectOptions, clock: Clock) {
    super("client", options, clock);
    const { followRedirects = false, origin, tls } = options;
    const most = followRedirects === true ? MAX_REDIRECTS : Number(followRedirects);
    this.#redirects = most === 0 ? null : most;
    this.#options = options;
    this.#target = { request, origin, tls };
  }

  /**
   * Connects.
   *
   * @param request Where to, and with what.
   * @param options See {@linkcode ConnectOptions}.
   * @param clock Where times come from.
   */
  static connect(request: ConnectRequest, options: ConnectOptions, clock: Clock): NetChannel {
    const channel = new NetChannel(request, options, clock);
    channel.bound(options, () => channel.#dial?.phase ?? "handshake");
    if (channel.state !== "closed") void channel.#attempt();
    return channel;
  }

  override get capabilities(): Capabilities {
    return NET_CAPABILITIES;
  }

  /** Where it is connected to, or tries to: where redirects have led. */
  get url(): string {
    return this.#target.request.url.href;
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
  async #attempt(): Promise<void> {
    const { request, origin, tls } = this.#target;
    const dial = this.#dial = new Dial(request.url, { ...this.#options, tls });
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
    return this.#redirects === null || !isRedirect(status);
  }

  protected override onRefused(error: ConnectError): boolean {
    const { response } = error;
    if (this.#redirects === null || response === null || !isRedirect(response.status)) return false;
    const next = this.#next(error);
    if (typeof next === "string") {
      const { url } = this.#target.request;
      this.fail(
        dialError(url, {
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
    void this.#attempt();
    return true;
  }

  #next({ response }: ConnectError): Target | string {
    if (this.#redirects === 0) return "too many redirects";
    if (response === null) return "";
    const next = followRedirect(this.#target, response);
    if (typeof next === "string" || this.#options.socketPath === undefined) return next;
    const isSame = originOf(next.request.url) === originOf(this.#target.request.url);
    return isSame ? next : "the redirect leads away from the socket";
  }
}
