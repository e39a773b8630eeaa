import { refuse } from "../handshake/server_handshake.ts";
import { Deferred, ignore, invalidState } from "../stream_channel/errors.ts";
import type { Clock } from "../web_socket/clock.ts";
import type { TlsContextOptions } from "../web_socket/tls_options.ts";
import { inspectAs } from "../web_socket/inspection.ts";
import { Traffic } from "../web_socket/traffic.ts";
import type { MessageInput } from "../web_socket/web_socket_sink.ts";
import { accept, type UpgradeEvent } from "./accept_upgrade.ts";
import type {
  AttachedWebSocketServer,
  ServerCloseOptions,
  ServerStats,
} from "./attached_web_socket_server.ts";
import type { PlaceOptions } from "./bind_options.ts";
import { Broadcaster, type BroadcastOptions } from "./broadcast.ts";
import { ChannelQueue } from "./channel_queue.ts";
import { takenByAnother } from "./claim.ts";
import {
  acceptAgain,
  type HttpRequest,
  type HttpResponse,
  type HttpServer,
  keepAccepting,
  listen,
  type ServerAddress,
  type ServerPlace,
  setTlsContext,
} from "./http_server.ts";
import { type Refused, refused } from "./admission.ts";
import { type RefusalReason, report } from "./error_hook.ts";
import { serve, type ServerHost } from "./handler.ts";
import { IncomingConnections } from "./incoming_connections.ts";
import { services } from "../web_socket/connection_service.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";
import { answerRequest, upgradeRequired } from "./plain_request.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import { acceptOn, separated, type StreamEvent } from "./accept_stream.ts";
import { ServerChannel, type UpgradeExtra } from "./server_channel.ts";
import { requestOn, StreamResponse } from "./stream_request.ts";
import {
  type ServerWebSocketChannel,
  SocketRemote,
  UpgradeServerRequest,
} from "./server_request.ts";
import { isServed, type SharedHttpServer, SharedUpgrades } from "./shared_upgrades.ts";
import type { ServerSettings } from "./server_options.ts";
import { dismiss, type Farewell, readFarewell, shutDown } from "./shut_down.ts";

/** The default of {@linkcode BindOptions.maxSilentConnections}. */
const DEFAULT_MAX_SILENT = 10_000;

/** A server on an HTTP server of its own, or on one that it shares. */
export class BoundServer implements AttachedWebSocketServer, ServerHost {
  readonly #http: HttpServer;
  readonly #options: PlaceOptions;
  readonly #settings: ServerSettings;
  readonly #clock: Clock;
  /** The channels that users get. */
  readonly #channels: Set<ServerChannel> = new Set<ServerChannel>();
  /** Connections that carry channels which may have several connections, one after another. */
  readonly #carriers: Set<ServerChannel> = new Set<ServerChannel>();
  /** How many channels and carriers are open. */
  #open = 0;
  readonly #connecting: Set<ServerChannel> = new Set<ServerChannel>();
  readonly #queue: ChannelQueue<ServerChannel> = new ChannelQueue<ServerChannel>(
    ServerChannel.taken,
  );
  readonly #incoming: IncomingConnections;
  readonly #broadcaster: Broadcaster;
  /** Calls of the handler that have not settled yet. */
  readonly #handled: Set<Promise<void>> = new Set<Promise<void>>();
  readonly #closed = new Deferred();
  readonly closed: Promise<void> = this.#closed.promise;
  /** All channels share this function. */
  readonly #onClosed = (closed: WebSocketChannel): void => {
    const channel = closed as ServerChannel;
    ServerChannel.forget(channel);
    if (this.#carriers.delete(channel)) this.#open--;
    else if (this.#channels.delete(channel)) {
      this.#open--;
      this.#queue.over(channel);
    }
    acceptAgain(this.#http);
  };
  readonly #traffic = new Traffic();
  readonly #refused: Record<RefusalReason, number> = {
    malformed: 0,
    host: 0,
    origin: 0,
    verify: 0,
    error: 0,
    timeout: 0,
    path: 0,
    full: 0,
    address: 0,
    rate: 0,
    closing: 0,
  };
  #accepted = 0;
  #address: ServerAddress = { hostname: "", port: 0 };
  /** Detaches the server from an HTTP server of the user's. */
  #leave: (() => void) | null = null;
  #stopAccepting: (() => void) | null = null;
  /** How to close channels; set when {@linkcode close} is called. */
  #farewell: Farewell | null = null;

  constructor(
    http: HttpServer,
    options: PlaceOptions,
    { settings, clock }: { settings: ServerSettings; clock: Clock },
  ) {
    this.#http = http;
    this.#options = options;
    this.#settings = {
      ...settings,
      traffic: this.#traffic,
      onRefused: (refused) => {
        this.#refused[refused.reason]++;
        return settings.onRefused?.(refused);
      },
    };
    this.#clock = clock;
    this.#broadcaster = new Broadcaster(clock);
    this.#incoming = new IncomingConnections({
      clock,
      handshakeTimeout: settings.handshakeTimeout,
      secure: options.tls !== undefined,
      silent: {
        max: options.maxSilentConnections ?? DEFAULT_MAX_SILENT,
        maxPerAddress: settings.limits?.maxSilentPerAddress ?? null,
      },
    }, () => acceptAgain(http));
  }

  /** Installs its listeners, and starts listening. */
  async listen(place: ServerPlace): Promise<void> {
    const http = this.#http;
    http.on("connection", this.#incoming.add);
    http.on("upgrade", (request, socket, head) => this.#onUpgrade({ request, socket, head }));
    http.on("request", (request, response) => this.#onRequest(request, response));
    http.on("session", this.#incoming.addSession);
    http.on("stream", (stream, headers, _flags, raw) => {
      this.#onStream({ stream, fields: raw ?? headers }, headers[":protocol"] !== undefined);
    });
    http.on("error", (error) => this.#onError(error));
    this.#address = await listen(http, place);
    this.#stopAccepting = keepAccepting(http);
  }

  /** Answers upgrades of an HTTP server that has other listeners, too. */
  share(http: SharedHttpServer): void {
    this.#leave = SharedUpgrades.attach(http, {
      paths: this.#options.path,
      handshakeTimeout: this.#settings.handshakeTimeout,
      clock: this.#clock,
      answer: (event) => this.#onUpgrade(event),
      reportTaken: ({ request: { url = "", rawHeaders }, socket }) => {
        const request = new UpgradeServerRequest(url, rawHeaders, new SocketRemote(socket, "ws"));
        report(this.#settings.onError, takenByAnother(), { where: "attach", request });
      },
    });
  }

  get address(): ServerAddress {
    return this.#address;
  }

  get url(): string {
    const { hostname, port } = this.#address;
    const scheme = this.#options.tls === undefined ? "ws" : "wss";
    const host = hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "::" ? "::1" : hostname;
    return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  get channels(): ReadonlySet<ServerWebSocketChannel> {
    return this.#channels;
  }

  [Symbol.asyncIterator](): AsyncIterator<ServerWebSocketChannel, undefined> {
    if (this.#settings.handler !== undefined) {
      throw invalidState("Cannot iterate over the server: its handler gets the channels");
    }
    return { next: () => this.#queue.next() };
  }

  #onUpgrade(event: UpgradeEvent): void {
    const { request, socket } = event;
    const connection = this.#incoming.heard(socket);
    const channel = accept(event, this.#settings, this.#clock, {
      ...this.#extraOf(request.url ?? ""),
      onOpen: (it) => this.#onOpen(it, socket),
    });
    if (this.#await(channel) && connection !== undefined) connection.unanswered += 1;
  }

  #extraOf(target: string): UpgradeExtra {
    return {
      refused: this.#refusalOf(target),
      onClosed: this.#onClosed,
      isQueued: this.#settings.handler === undefined,
    };
  }

  /** Registers a channel if it is still connecting, and returns whether it is. */
  #await(channel: ServerChannel): boolean {
    if (channel.state !== "connecting") return false;
    this.#connecting.add(channel);
    channel.ready.catch(() => this.#connecting.delete(channel));
    return true;
  }

  #onStream(event: StreamEvent, isExtended: boolean): void {
    const { stream, fields } = event;
    const guard = this.#incoming.guardOf(stream.session ?? {});
    guard?.add(stream);
    if (!isExtended) {
      stream.on("error", ignore);
      return this.#answer(requestOn(event), new StreamResponse(stream));
    }
    const { path = "" } = separated(fields).pseudo;
    const channel = acceptOn(event, this.#settings, this.#clock, {
      ...this.#extraOf(path),
      onOpen: (it) => this.#onOpen(it, null),
    });
    this.#await(channel);
  }

  /** A refusal that needs only the path and the server's state. */
  #refusalOf(target: string): Refused | undefined {
    if (!isServed(this.#options.path, target)) return refused(refuse(404), "path");
    // Once the HTTP server has stopped listening, a client of an earlier connection is still accepted, and then closed.
    const isRefused = this.isClosing && this.#http.listening;
    return isRefused ? refused(refuse(503), "closing") : undefined;
  }

  #onOpen(channel: ServerChannel, socket: UpgradeSocket | null): void {
    this.#connecting.delete(channel);
    this.#open++;
    this.#accepted++;
    if (socket !== null) this.#incoming.connections.remove(socket);
    const { handler } = this.#settings;
    const service = handler && services.get(handler);
    const isCarrier = service !== undefined && channel.protocol === service.protocol;
    (isCarrier ? this.#carriers : this.#channels).add(channel);
    if (handler === undefined) this.#queue.push(channel);
    else this.#serve(channel, handler);
    if (this.#farewell !== null) dismiss(channel, this.#farewell);
  }

  #serve(channel: ServerChannel, handler: NonNullable<ServerSettings["handler"]>): void {
    const handled = serve(handler, channel, this.#settings.onError, this);
    if (handled === null) return;
    this.#handled.add(handled);
    handled.then(() => this.#handled.delete(handled));
  }

  // The interface of a `ServerHost`, for a `ConnectionService`.

  get isClosing(): boolean {
    return this.#farewell !== null;
  }

  onChannel(channel: WebSocketChannel): void {
    this.#channels.add(channel as ServerChannel);
  }

  onChannelClosed(channel: WebSocketChannel): void {
    this.#channels.delete(channel as ServerChannel);
  }

  /** Reports an error of the listening socket. Before it listens, `listen` rejects with the error instead. */
  #onError(error: unknown): void {
    if (this.#address.port === 0) return;
    report(this.#settings.onError, error, { where: "listen", request: null });
  }

  #onRequest(request: HttpRequest, response: HttpResponse): void {
    const { socket } = request;
    const connection = this.#incoming.heard(socket);
    if (connection !== undefined) {
      connection.unanswered += 1;
      response.once("close", () => this.#incoming.answered(connection, socket, this.isClosing));
    }
    this.#answer(request, response);
  }

  #answer(request: HttpRequest, response: HttpResponse): void {
    const { onRequest, tls } = this.#options;
    const handler = onRequest ?? upgradeRequired;
    const secure = tls !== undefined;
    const clock = this.#clock;
    void answerRequest(request, response, { ...this.#settings, handler, secure, clock });
  }

  broadcast(message: MessageInput, options?: BroadcastOptions): void {
    this.#broadcaster.send(this.#channels, message, options);
  }

  stats(): ServerStats {
    let queued = 0;
    for (const channel of this.#channels) queued += channel.sink.bufferedAmount;
    return {
      connections: {
        open: this.#open,
        connecting: this.#connecting.size,
        accepted: this.#accepted,
        silent: this.#incoming.silent.size,
        dropped: this.#incoming.silent.dropped,
      },
      refused: { ...this.#refused },
      received: { ...this.#traffic.received },
      sent: { ...this.#traffic.sent },
      queued,
    };
  }

  close(options?: ServerCloseOptions): Promise<void> {
    const farewell = readFarewell(options);
    if (!this.isClosing) {
      this.#farewell = farewell;
      this.#queue.end();
      void this.#shutDown(farewell);
    }
    return this.closed;
  }

  async #shutDown(farewell: Farewell): Promise<void> {
    this.#stopAccepting?.();
    const stopped = this.#leave === null
      ? new Promise<void>((resolve) => this.#http.close(resolve))
      : null;
    const parts = {
      channels: this.#channels,
      connecting: this.#connecting,
      carriers: this.#carriers,
      connections: this.#incoming.connections,
      sessions: this.#incoming.sessions,
      handled: this.#handled,
      stopped,
    };
    await shutDown(parts, farewell, this.#clock);
    this.#leave?.();
    this.#closed.resolve();
  }

  setTls(tls: TlsContextOptions): void {
    if (this.#options.tls === undefined) {
      throw invalidState("Cannot set the certificates: the server was bound without tls");
    }
    setTlsContext(this.#http, tls);
  }

  ref(): void {
    this.#http.ref();
  }

  unref(): void {
    this.#http.unref();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

inspectAs(BoundServer.prototype, "WebSocketServer", (it) => ({
  // An attached server has no address.
  ...(it.address.port === 0 ? {} : { url: it.url }),
  ...it.stats(),
}));
