import { isPromiseLike } from "../realm/kinds.ts";
import { NO_CAPABILITIES } from "../web_socket/capabilities.ts";
import { Channel } from "../web_socket/channel.ts";
import { ChannelCore } from "../web_socket/channel_core.ts";
import type { Clock } from "../web_socket/clock.ts";
import type { ConnectionEvents } from "../web_socket/connection_events.ts";
import type { ConnectRequest } from "../web_socket/connect_request.ts";
import { parseProtocols } from "../web_socket/connect_url.ts";
import { type FromOptions, readFromOptions } from "../web_socket/options.ts";
import { shownUrl } from "../web_socket/shown_url.ts";
import { checkSocket } from "./native_socket.ts";
import {
  type NativeSettings,
  NativeTransport,
  type ReadFailure,
  type SocketKnowledge,
} from "./native_transport.ts";
import type { WebSocketLike } from "./web_socket_like.ts";

/** A channel over the global `WebSocket`, or any socket with its interface. */
export class SocketChannel extends Channel {
  readonly #transport: NativeTransport;

  private constructor(core: ChannelCore, transport: NativeTransport) {
    super(core);
    this.#transport = transport;
  }

  static #of(settings: NativeSettings): { core: ChannelCore; transport: NativeTransport } {
    const { options, clock, url, capabilities } = settings;
    const core = new ChannelCore(options, clock, {
      transport: "native",
      capabilities,
      url: () => url === null ? "" : shownUrl(url),
    });
    core.observer = settings.observer ?? null;
    const transport = new NativeTransport(core, settings);
    core.attach(transport);
    return { core, transport };
  }

  /** Connects with the global `WebSocket`. */
  static connect(
    request: ConnectRequest,
    options: FromOptions,
    clock: Clock,
    known: SocketKnowledge,
  ): SocketChannel {
    const { url, protocols } = request;
    const { core, transport } = SocketChannel.#of({
      options,
      clock,
      offered: protocols,
      url,
      ...known,
    });
    core.startConnectDeadline(options, () => null);
    if (core.state !== "closed") {
      transport.connect(() => known.create(request));
    }
    return new SocketChannel(core, transport);
  }

  /** Wraps a socket, or a promise of one. */
  static from(
    socket: WebSocketLike | PromiseLike<WebSocketLike>,
    given: FromOptions | undefined,
    clock: Clock,
    readFailure: ReadFailure,
    observer: ConnectionEvents | null = null,
  ): SocketChannel {
    const options = readFromOptions(given);
    const isPromise = isPromiseLike(socket);
    if (!isPromise) checkSocket(socket);
    const { core, transport } = SocketChannel.#of({
      options,
      clock,
      offered: options.protocols === undefined ? null : parseProtocols(options.protocols),
      url: null,
      capabilities: NO_CAPABILITIES,
      readFailure,
      observer,
    });
    core.startConnectDeadline(options, () => null);
    if (isPromise) void transport.await(socket);
    else transport.adopt(socket);
    return new SocketChannel(core, transport);
  }

  /** Creates a channel that has failed before connecting. */
  static failed(error: unknown, { url, clock }: { url: URL; clock: Clock }): SocketChannel {
    const { core, transport } = SocketChannel.#of({
      options: {},
      clock,
      offered: null,
      url,
      capabilities: NO_CAPABILITIES,
      readFailure: () => ({ fault: "", known: {} }),
    });
    core.failToOpen(error);
    return new SocketChannel(core, transport);
  }

  /** The wrapped socket; `null` until its promise fulfils. */
  get socket(): WebSocketLike | null {
    return this.#transport.socket;
  }
}
