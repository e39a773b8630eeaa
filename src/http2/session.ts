import type { ConnectOptions } from "../web_socket/options.ts";
import type { Clock } from "../web_socket/clock.ts";
import type { ConnectionInfo } from "../web_socket/connection_info.ts";
import { Deadline } from "../web_socket/deadline.ts";
import { ConnectError } from "../web_socket/errors.ts";
import { shownUrl } from "../web_socket/shown_url.ts";
import type { TlsOptions } from "../web_socket/tls_options.ts";
import { ignore } from "../stream_channel/errors.ts";
import { Dial } from "../net/dial.ts";
import {
  type ClientHttp2Session,
  destroyLater,
  type Http2Fields,
  http2Module,
  type Http2Settings,
  type Http2Stream,
  isSessionLost,
  NO_ERROR,
  shownCode,
  STREAM_WINDOW,
  widenWindow,
} from "../net/http2.ts";
import { Liveness } from "./liveness.ts";

/** Where a session leads, and how it is connected: what all of its channels have in common. */
export interface SessionPlace {
  /** The URL of the first channel: of it scheme, host and port matter. */
  readonly url: URL;
  readonly tls: TlsOptions | undefined;
  readonly options: Pick<
    ConnectOptions,
    "proxy" | "socketPath" | "localAddress" | "lookup" | "addressDelay" | "closeTimeout"
  >;
}

const NO_HTTP2 = "the answer is not HTTP/2, or the connection was lost";

/** A server that has no WebSocket over HTTP/2. */
export class NoHttp2Error extends ConnectError {}

/** The session has ended before the stream was asked for. */
export class EndedSessionError extends ConnectError {}

/** What a session reports. */
export interface SessionEvents {
  /** A stream has ended, or the session takes no more of them, or fewer. */
  onChange(session: PooledSession): void;
}

/** What a session is made with. */
export interface SessionOptions {
  readonly clock: Clock;
  /** How many streams it may have, whatever the server allows. */
  readonly maxStreams: number;
  /** How long it is kept without a stream, in milliseconds. */
  readonly idleTimeout: number;
  readonly events: SessionEvents;
}

/** A connection of HTTP/2 to a server, which channels share. */
export class PooledSession {
  readonly place: SessionPlace;
  readonly #options: SessionOptions;
  readonly #dial: Dial;
  #session: ClientHttp2Session | null = null;
  /** How many streams there are, and are going to be. */
  #streams = 0;
  /** How many of them may be asked for. */
  #admitted = 0;
  /** How many of them keep the process alive. */
  #refs = 0;
  /** How many streams the server allows. */
  #allowed = Infinity;
  /** The server's SETTINGS have arrived. */
  #isReady = false;
  /** It takes no more streams. */
  #isDraining = false;
  #isOver = false;
  #isDead = false;
  #idle: Deadline | null = null;
  #liveness: Liveness | null = null;
  #info: ConnectionInfo | null = null;
  /** Fulfils when it can have streams. */
  readonly ready: Promise<void>;

  /**
   * Begins to connect.
   *
   * @param place Where to.
   * @param options See {@linkcode SessionOptions}.
   */
  constructor(place: SessionPlace, options: SessionOptions) {
    this.place = place;
    this.#options = options;
    const { url, tls } = place;
    // RFC 7301: a server that has HTTP/1.1 only says so, instead of failing.
    const offer = { ALPNProtocols: ["h2", "http/1.1"], ...tls };
    this.#dial = new Dial(url, {
      ...place.options,
      tls: offer,
      // `node:http2` does not notice the end of its connection otherwise.
      allowHalfOpen: false,
    }, options.clock);
    this.ready = this.#connect();
    this.ready.catch(ignore);
  }

  /** What it is doing while it connects, as a text. */
  get progress(): string {
    return this.#session === null ? this.#dial.progress : "handshake";
  }

  /** Whether another stream would have room. */
  get hasRoom(): boolean {
    if (this.#isDraining || this.#liveness?.isDoubtful) return false;
    return this.#streams < Math.min(this.#options.maxStreams, this.#allowed);
  }

  /** How many streams there are. */
  get streams(): number {
    return this.#streams;
  }

  /** Whether it has ended. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether it was ended because the server answered nothing any more. */
  get isDead(): boolean {
    return this.#isDead;
  }

  /** Whether it takes no more streams, or will end. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** What is known of the connection. */
  get info(): ConnectionInfo | null {
    return this.#info;
  }

  async #connect(): Promise<void> {
    try {
      const { connect } = http2Module();
      const socket = await this.#dial.connect();
      const { url } = this.place;
      const isSecure = url.protocol === "wss:";
      this.#info = this.#dial.info;
      const { alpnProtocol } = socket as { alpnProtocol?: string | false | null };
      if (isSecure && alpnProtocol !== "h2") {
        socket.destroy();
        throw this.#lacking(
          `the server did not choose h2 (ALPN), but ${alpnProtocol || "nothing"}`,
        );
      }
      const session = this.#session = connect(
        `${isSecure ? "https" : "http"}://${url.host}`,
        {
          createConnection: () => socket,
          settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
        },
      );
      destroyLater(session);
      const { enableConnectProtocol, maxConcurrentStreams } = await this.#settings(session);
      if (isSessionLost(session)) throw this.#lacking(NO_HTTP2);
      if (enableConnectProtocol !== true) {
        session.destroy();
        throw this.#lacking(
          "the server has HTTP/2, but not WebSocket over it (SETTINGS_ENABLE_CONNECT_PROTOCOL)",
        );
      }
      if (maxConcurrentStreams === 0) {
        session.destroy();
        const fault = "the server allows no stream (SETTINGS_MAX_CONCURRENT_STREAMS)";
        throw this.#lacking(fault, undefined, true);
      }
      widenWindow(session);
      this.#liveness = new Liveness(
        session,
        this.#options.clock,
        () => this.#options.events.onChange(this),
        () => {
          this.#isDead = true;
          this.#drain();
          session.destroy();
          socket.destroy();
        },
      );
      this.#isReady = true;
      this.#allowed = maxConcurrentStreams ?? Infinity;
      session.on("remoteSettings", ({ maxConcurrentStreams: allowed }: Http2Settings) => {
        this.#allowed = allowed ?? Infinity;
        this.#options.events.onChange(this);
      });
      if (this.#refs === 0) session.unref();
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  /** RFC 9113 §3.4: the first frame of a server is its SETTINGS. */
  #settings(session: ClientHttp2Session): Promise<Http2Settings> {
    return new Promise((resolve, reject) => {
      let failure: unknown;
      session.on("error", (error: unknown) => failure = error);
      session.on("goaway", (code: number) => {
        if (code !== NO_ERROR) failure ??= new Error(`GOAWAY ${shownCode(code)}`);
        this.#drain();
      });
      session.on("close", () => {
        this.#end();
        reject(this.#lacking(NO_HTTP2, failure));
      });
      session.on("remoteSettings", resolve);
    });
  }

  #lacking(fault: string, cause?: unknown, retryable = cause !== undefined): NoHttp2Error {
    return new NoHttp2Error(`Cannot connect to ${shownUrl(this.place.url)}: ${fault}`, {
      phase: "handshake",
      retryable,
      ...(cause === undefined ? {} : { cause }),
    });
  }

  #drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#options.events.onChange(this);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#idle?.clear();
    this.#idle = null;
    this.#liveness?.clear();
    this.#isOver = this.#isDraining = true;
    this.#options.events.onChange(this);
  }

  /** Keeps room for a stream. {@linkcode release} frees it, unless the stream exists by then. */
  reserve(): void {
    this.#streams++;
    this.#idle?.clear();
    this.#idle = null;
    this.hold(true);
  }

  /**
   * The session is ready: of the streams for which there is room as many may be asked for as the server allows.
   *
   * @returns Whether one more may.
   */
  admit(): boolean {
    const isFull = this.#admitted >= Math.min(this.#options.maxStreams, this.#allowed);
    if (isFull || this.#isDraining) return false;
    this.#admitted++;
    return true;
  }

  /** A stream has ended, or there won't be one. */
  release(isRef: boolean, isAdmitted: boolean): void {
    this.#streams--;
    if (isAdmitted) this.#admitted--;
    if (isRef) this.hold(false);
    if (this.#streams > 0 || this.#isOver) return this.#options.events.onChange(this);
    // Without SETTINGS nothing says that anyone is there.
    if (this.#isDraining || this.#options.idleTimeout === 0 || !this.#isReady) this.close();
    else {
      const { clock, idleTimeout: ms } = this.#options;
      this.#idle = new Deadline(clock, { ms, onTime: () => this.close(), unref: true });
    }
    this.#options.events.onChange(this);
  }

  /** One more of its streams keeps the process alive, or one less. */
  hold(isRef: boolean): void {
    this.#refs += isRef ? 1 : -1;
    if (this.#refs === 0) this.#setRef(false);
    else if (isRef && this.#refs === 1) this.#setRef(true);
  }

  #setRef(isRef: boolean): void {
    const session = this.#session ?? this.#dial;
    if (this.#isOver) return;
    if (isRef) session.ref();
    else session.unref();
  }

  /** Creates the error of a channel that came too late for this session. */
  endedError(): EndedSessionError {
    return new EndedSessionError(
      `Cannot connect to ${shownUrl(this.place.url)}: the HTTP/2 session has just ended`,
      { phase: "handshake", retryable: true },
    );
  }

  /**
   * Asks for something on a stream of its own. Call it only when it is ready.
   *
   * @throws {Error} When the session has ended meanwhile.
   */
  request(fields: Http2Fields): Http2Stream {
    const session = this.#session;
    if (session === null || session.closed || isSessionLost(session)) {
      this.#drain();
      throw this.endedError();
    }
    const stream = session.request(fields, { endStream: false });
    this.#liveness?.watch(stream);
    return stream;
  }

  /** Ends it when its last stream has; at once if there is none yet. */
  close(): void {
    this.#idle?.clear();
    this.#idle = null;
    this.#drain();
    const session = this.#session;
    if (session === null || !this.#isReady) return this.destroy();
    // Otherwise the process could end while its end is awaited.
    session.ref();
    if (this.#streams === 0) session.destroy();
  }

  /** Ends it at once, and with it each of its streams. */
  destroy(): void {
    this.#drain();
    if (this.#session === null) this.#dial.destroy();
    else this.#session.destroy();
    this.#end();
  }
}
