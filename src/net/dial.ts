/**
 * Opens a connection: looks up addresses, connects by TCP or a Unix socket, opens a proxy's tunnel, and starts TLS.
 *
 * @module
 */

import { ignore } from "../stream_channel/errors.ts";
import type { Clock } from "../web_socket/clock.ts";
import type { ConnectionInfo } from "../web_socket/connection_info.ts";
import { type ConnectOptions, DEFAULT_CLOSE_TIMEOUT } from "../web_socket/options.ts";
import {
  ConnectError,
  type ConnectPhase,
  UnsupportedError,
  WebSocketChannelError,
} from "../web_socket/errors.ts";
import { parseRetryAfter } from "../web_socket/open_handshake.ts";
import { platform } from "../web_socket/platform.ts";
import {
  builtin,
  type Builtins,
  hasNet,
  mayUse,
  type Socket,
  type TcpOptions,
  type TlsConnectOptions,
} from "./builtins.ts";
import type { TlsOptions } from "../web_socket/tls_options.ts";
import { guardIdentity, refuseIgnored } from "./tls_options.ts";
import { addressesOf, type Candidate, candidatesOf, failure, interleaved } from "./addresses.ts";
import { dialError, isLost, shownFailures } from "./dial_error.ts";
import { bareHost } from "./environment_proxy.ts";
import {
  chooseProxy,
  isSocks,
  openTunnel,
  portOf,
  type Proxy,
  ProxyRefusal,
  shownProxy,
} from "./proxy.ts";
import { type AddressFailure, connected, NoAddressLeft, Race } from "./race.ts";
import { socketInfo } from "./socket_info.ts";
import { openSocksTunnel } from "./socks.ts";

/** Options of a {@linkcode Dial}. */
export type DialOptions =
  & Pick<
    ConnectOptions,
    "tls" | "proxy" | "socketPath" | "localAddress" | "lookup" | "addressDelay" | "closeTimeout"
  >
  & {
    /** Whether the connection stays open after the peer has ended its half. Default `true`. */
    readonly allowHalfOpen?: boolean;
  };

/** One attempt to open a connection. It can be given up at any time. */
export class Dial {
  readonly #url: URL;
  readonly #options: DialOptions;
  readonly #clock: Clock;
  // Checked by `connect` before they are used.
  #net = builtin("net") as Builtins["net"];
  #tls = builtin("tls") as Builtins["tls"];
  #phase: ConnectPhase = "dns";
  /** The reason why this side refused the TLS connection, if it did. */
  #refusal: string | null = null;
  #proxy: URL | null = null;
  /** The name that the certificate must be for. */
  #servername: string | undefined;
  #race: Race | null = null;
  /** The server's addresses that the proxy could not reach. */
  readonly #refused: AddressFailure[] = [];
  /** The current connection: first TCP, then TLS over it. */
  #socket: Socket | null = null;
  /** The TCP connection. */
  #below: Socket | null = null;
  /** The proxy of the connection's tunnel. */
  #tunnel: URL | null = null;
  #destroyed = false;
  #isRef = true;

  /**
   * Creates an attempt that hasn't started.
   *
   * @param url The URL, without user info.
   * @param options The options of the attempt.
   * @param clock The clock for all timeouts.
   */
  constructor(url: URL, options: DialOptions, clock: Clock) {
    this.#url = url;
    this.#options = options;
    this.#clock = clock;
  }

  /** The current phase of the attempt. */
  get phase(): ConnectPhase {
    return this.#proxy === null ? this.#phase : "proxy";
  }

  /** A text with the current phase, and the addresses that have failed. */
  get progress(): string {
    const isAsking = this.phase === "dns" && this.#options.lookup !== undefined;
    const hint = isAsking ? ": the option lookup has not called back" : "";
    const failures = [...this.#refused, ...this.#race?.failures ?? []];
    return `${this.phase}${hint}${failures.length === 0 ? "" : `. ${shownFailures(failures)}`}`;
  }

  /** Gives up the attempt, and releases everything. */
  destroy(): void {
    this.#destroyed = true;
    this.#race?.destroy();
    this.#socket?.destroy();
  }

  /** Does the work of `WebSocketChannel.unref`. */
  unref(): void {
    this.#isRef = false;
    this.#race?.each((socket) => socket.unref());
    this.#socket?.unref();
  }

  /** Does the work of `WebSocketChannel.ref`. */
  ref(): void {
    this.#isRef = true;
    this.#race?.each((socket) => socket.ref());
    this.#socket?.ref();
  }

  /**
   * Opens the connection.
   *
   * @returns The connected socket, which isn't reading yet; for `wss:` it is one of `node:tls`.
   * @throws {ConnectError} When the attempt fails.
   * @throws {UnsupportedError} When the platform has no `node:net`.
   */
  async connect(): Promise<Socket> {
    if (!hasNet()) throw new UnsupportedError("net", platform());
    try {
      return await this.#connect();
    } catch (cause) {
      this.#socket?.destroy();
      throw this.#errorOf(cause);
    }
  }

  async #connect(): Promise<Socket> {
    const { socketPath, tls = {}, proxy, localAddress } = this.#options;
    const url = this.#url;
    const settings = url.protocol === "wss:" ? tls : null;
    // Checked before anything is opened.
    if (settings !== null) refuseIgnored(settings);
    if (localAddress !== undefined && !mayUse(localAddress, 0)) throw failure("EPERM");
    const chosen = socketPath === undefined ? chooseProxy(url, proxy) : null;
    if (chosen === null) await this.#reach(url, settings);
    else {
      await this.#throughProxy(chosen);
      if (settings !== null) await this.#secure(url, settings);
    }
    return this.#connected();
  }

  async #throughProxy(proxy: Proxy): Promise<void> {
    const { url } = proxy;
    const { closeTimeout: ms = DEFAULT_CLOSE_TIMEOUT } = this.#options;
    // Other proxies look up the name themselves.
    const host = bareHost(this.#url.hostname);
    const hosts = url.protocol === "socks5:" ? await this.#lookUp(this.#url) : [host];
    this.#proxy = url;
    for (const it of hosts) {
      await this.#reach(url, url.protocol === "https:" ? this.#proxySettings() : null);
      try {
        if (isSocks(url)) await openSocksTunnel(this.#connected(), url, this.#url, it);
        else await openTunnel(this.#connected(), proxy, this.#url, { clock: this.#clock, ms });
        break;
      } catch (error) {
        const isRefusal = error instanceof ProxyRefusal;
        if (isRefusal) this.#refused.push({ name: it, error });
        if (it === hosts.at(-1) || !isRefusal || !error.options.isUnreachable) {
          throw isRefusal && this.#refused.length > 1 ? new NoAddressLeft(this.#refused) : error;
        }
        this.#connected().destroy();
      }
    }
    this.#tunnel = url;
    this.#proxy = null;
    this.#phase = "handshake";
  }

  /** Returns the settings for the proxy; the others are meant for the server. */
  #proxySettings(): TlsOptions {
    const { ca, rejectUnauthorized } = this.#options.tls ?? {};
    return {
      ...(ca === undefined ? {} : { ca }),
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
    };
  }

  /** What is known about the opened connection; `null` before it is open. */
  get info(): ConnectionInfo | null {
    if (this.#below === null) return null;
    // TLS below a tunnel belongs to the proxy.
    const secure = this.#url.protocol === "wss:" ? this.#socket : null;
    return socketInfo(this.#below, secure, this.#tunnel && shownProxy(this.#tunnel));
  }

  #connected(): Socket {
    if (this.#socket === null || this.#destroyed) throw givenUp();
    return this.#socket;
  }

  async #lookUp(url: URL): Promise<string[]> {
    const { lookup } = this.#options;
    const addresses = await addressesOf(bareHost(url.hostname), portOf(url), lookup);
    this.#checkWanted();
    return interleaved(addresses).map(({ address }) => address);
  }

  /**
   * Connects to the host of a URL, by the first of its addresses that answers. An address whose TLS connection breaks
   * has failed as well; a bad certificate is the server's answer.
   */
  async #reach(url: URL, settings: TlsOptions | null): Promise<void> {
    const candidates = await this.#candidates(url);
    this.#checkWanted();
    const { addressDelay: delay = DEFAULT_ADDRESS_DELAY } = this.#options;
    const race = this.#race = new Race(candidates, {
      start: (target) => this.#open(target),
      clock: this.#clock,
      delay,
    });
    let furthest: ConnectPhase = "tcp";
    for (;;) {
      this.#phase = "tcp";
      const socket = await race.run().catch((error) => {
        this.#phase = furthest;
        throw error;
      });
      this.#checkWanted(socket);
      this.#socket = this.#below = socket;
      if (settings === null) break;
      try {
        await this.#secure(url, settings);
        break;
      } catch (error) {
        if (candidates.length === 1 || this.#destroyed || !isLost(error)) throw error;
        this.#socket.destroy();
        race.fail(error);
        furthest = "tls";
      }
    }
    this.#race = null;
  }

  async #candidates(url: URL): Promise<Candidate[]> {
    const { socketPath, lookup, localAddress } = this.#options;
    this.#phase = "tcp";
    if (socketPath !== undefined) return [{ name: socketPath, target: { path: socketPath } }];
    const host = bareHost(url.hostname);
    const port = portOf(url);
    const family = this.#net.isIP(host);
    const isKnown = lookup === undefined && family !== 0;
    if (!isKnown) this.#phase = "dns";
    const addresses = isKnown ? [{ address: host, family }] : await addressesOf(host, port, lookup);
    this.#phase = "tcp";
    // A local address can only reach addresses of its own family.
    const own = this.#net.isIP(localAddress ?? "");
    const usable = addresses.filter((it) => own === 0 || it.family === own);
    if (usable.length === 0) throw failure("EADDRNOTAVAIL");
    return candidatesOf(host, port, usable, isKnown || lookup !== undefined);
  }

  /** Starts connecting. */
  #open(target: TcpOptions): Socket {
    const { localAddress, lookup } = this.#options;
    const { host, port = 0, path } = target;
    if (host?.includes("%") && platform() === "deno") throw failure("ERR_ZONE");
    if (lookup !== undefined && host !== undefined && !mayUse(host, port)) throw failure("EPERM");
    const socket = this.#net.connect({
      ...target,
      ...(localAddress === undefined || path !== undefined ? {} : { localAddress }),
      // This package tries the addresses itself.
      autoSelectFamily: false,
      allowHalfOpen: this.#options.allowHalfOpen ?? true,
      noDelay: true,
    });
    // A late error must not end the process.
    socket.on("error", ignore);
    if (!this.#isRef) socket.unref();
    return socket;
  }

  async #secure(url: URL, settings: TlsOptions): Promise<void> {
    this.#phase = "tls";
    const host = bareHost(url.hostname);
    const { servername = host, checkServerIdentity, ...rest } = settings;
    this.#servername = servername;
    const below = this.#connected();
    const options: TlsConnectOptions = {
      ...rest,
      socket: below,
      // An address is no server name (RFC 6066 §3), but the certificate must still be for it.
      ...(this.#net.isIP(servername) === 0 ? { host, servername } : { host: servername }),
      // HTTP/2 can't be upgraded, so only HTTP/1.1 is offered (RFC 7301).
      ALPNProtocols: settings.ALPNProtocols ?? ["http/1.1"],
      // Always set, because otherwise an environment variable could disable it.
      rejectUnauthorized: settings.rejectUnauthorized !== false,
      allowHalfOpen: this.#options.allowHalfOpen ?? true,
    };
    if (checkServerIdentity !== undefined) {
      options.checkServerIdentity = guardIdentity(checkServerIdentity, ({ message }) => {
        this.#refusal = `tls.checkServerIdentity refused the certificate: ${message}`;
      });
    }
    const socket = this.#secured(options);
    socket.on("error", ignore);
    // The TCP socket below a destroyed TLS socket may stay open.
    socket.once("close", () => below.destroy());
    this.#socket = socket;
    if (!this.#isRef) socket.unref();
    await connected(socket, "secureConnect");
    this.#checkWanted();
  }

  #secured(options: TlsConnectOptions): Socket {
    try {
      return this.#tls.connect(options);
    } catch (cause) {
      this.#refusal = "the platform can't use the option tls";
      throw cause;
    }
  }

  #checkWanted(socket: Socket | null = this.#socket): void {
    if (!this.#destroyed) return;
    socket?.destroy();
    throw givenUp();
  }

  #errorOf(cause: unknown): Error {
    if (cause instanceof ConnectError || cause instanceof UnsupportedError) return cause;
    const about = this.#proxy === null ? undefined : `the proxy ${shownProxy(this.#proxy)}`;
    const { phase } = this;
    if (this.#refusal !== null) {
      return dialError(this.#url, { phase, about, fault: this.#refusal, cause, retryable: false });
    }
    if (cause instanceof ProxyRefusal) {
      const { message: fault, options: { response = null, isFinal } } = cause;
      const final = isFinal ? { retryable: false } : {};
      const retryAfter = parseRetryAfter(response?.headers.get("retry-after") ?? null);
      return dialError(this.#url, { phase, about, fault, response, retryAfter, cause, ...final });
    }
    return dialError(this.#url, { phase, about, host: this.#servername, cause });
  }
}

/** How long to wait for an address before trying the next, in milliseconds (RFC 8305 §5). */
const DEFAULT_ADDRESS_DELAY = 250;

function givenUp(): Error {
  return new WebSocketChannelError("Cannot connect: the attempt was given up");
}
