/**
 * Making a connection: names to addresses, TCP or a Unix socket, a proxy's tunnel, TLS.
 *
 * @module
 */

import { ignore } from "../stream_channel/errors.ts";
import type { ConnectOptions, LookupAddress, LookupFunction } from "../web_socket/options.ts";
import {
  ConnectError,
  type ConnectPhase,
  UnsupportedError,
  WebSocketChannelError,
} from "../web_socket/errors.ts";
import { platform } from "../web_socket/platform.ts";
import {
  builtin,
  type Builtins,
  mayUse,
  type Socket,
  type TcpOptions,
  type TlsConnectOptions,
} from "./builtins.ts";
import type { TlsOptions } from "../web_socket/tls_options.ts";
import { guardIdentity, refuseIgnored } from "./tls_options.ts";
import { codeOf, dialError } from "./dial_error.ts";
import { bareHost } from "./no_proxy.ts";
import { chooseProxy, openTunnel, portOf, proxyName, ProxyRefusal } from "./proxy.ts";

/** How to dial. */
export type DialOptions = Pick<
  ConnectOptions,
  "tls" | "proxy" | "socketPath" | "localAddress" | "lookup"
>;

/** One attempt to make a connection. It can be given up at any moment. */
export class Dial {
  readonly #url: URL;
  readonly #options: DialOptions;
  #phase: ConnectPhase = "dns";
  /** Why this side refuses the TLS connection, where it does. */
  #refusal: string | null = null;
  #proxy: URL | null = null;
  /** The name that the certificate has to be for. */
  #servername: string | undefined;
  #socket: Socket | null = null;
  #destroyed = false;
  #isRef = true;

  /**
   * Makes an attempt that hasn't begun.
   *
   * @param url Where to; without user info.
   * @param options See {@linkcode DialOptions}.
   */
  constructor(url: URL, options: DialOptions) {
    this.#url = url;
    this.#options = options;
  }

  /** How far it has come. */
  get phase(): ConnectPhase {
    return this.#proxy === null ? this.#phase : "proxy";
  }

  /** Gives up: nothing of it is left. */
  destroy(): void {
    this.#destroyed = true;
    this.#socket?.destroy();
  }

  /** See `WebSocketChannel.unref`. */
  unref(): void {
    this.#isRef = false;
    this.#socket?.unref();
  }

  /** See `WebSocketChannel.ref`. */
  ref(): void {
    this.#isRef = true;
    this.#socket?.ref();
  }

  /**
   * Makes the connection.
   *
   * @returns The connected socket, which reads nothing yet; for `wss:` one of `node:tls`.
   * @throws {ConnectError} When that fails.
   * @throws {UnsupportedError} When the platform can't dial.
   */
  async connect(): Promise<Socket> {
    const net = builtin("net");
    const tls = builtin("tls");
    if (net === null || tls === null) throw new UnsupportedError("net", platform());
    try {
      return await this.#connect(net, tls);
    } catch (cause) {
      this.#socket?.destroy();
      throw this.#errorOf(cause);
    }
  }

  async #connect(net: Builtins["net"], tls: Builtins["tls"]): Promise<Socket> {
    const { socketPath, tls: settings = {}, proxy } = this.#options;
    // Before anything is opened.
    if (this.#url.protocol === "wss:") refuseIgnored(settings);
    this.#proxy = chooseProxy(this.#url, proxy);
    if (this.#proxy !== null) await this.#throughProxy(net, tls, this.#proxy);
    else if (socketPath !== undefined) await this.#dialTcp(net, { path: socketPath }, "tcp");
    else await this.#dialHost(net, this.#url);
    if (this.#url.protocol !== "wss:") return this.#connected();
    this.#phase = "tls";
    await this.#secure(net, tls, this.#url, settings);
    return this.#connected();
  }

  async #throughProxy(net: Builtins["net"], tls: Builtins["tls"], proxy: URL): Promise<void> {
    await this.#dialHost(net, proxy);
    if (proxy.protocol === "https:") {
      // The rest of the settings is meant for the server.
      const { ca, rejectUnauthorized } = this.#options.tls ?? {};
      await this.#secure(net, tls, proxy, {
        ...(ca === undefined ? {} : { ca }),
        ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
      });
    }
    await openTunnel(this.#connected(), proxy, this.#url);
    this.#proxy = null;
    this.#phase = "handshake";
  }

  #connected(): Socket {
    if (this.#socket === null || this.#destroyed) throw givenUp();
    return this.#socket;
  }

  async #dialHost(net: Builtins["net"], url: URL): Promise<void> {
    const host = bareHost(url.hostname);
    const { lookup } = this.#options;
    const target: TcpOptions = { allowHalfOpen: true, host, port: portOf(url) };
    if (lookup !== undefined) return await this.#dialAddresses(net, target, lookup);
    await this.#dialTcp(net, target, net.isIP(host) === 0 ? "dns" : "tcp");
  }

  /** The platform doesn't ask `lookup` for addresses; but it is to have its say on those as well. */
  async #dialAddresses(
    net: Builtins["net"],
    target: TcpOptions,
    lookup: LookupFunction,
  ): Promise<void> {
    this.#phase = "dns";
    const found = await lookUp(lookup, target.host ?? "");
    this.#checkWanted();
    const addresses = found.filter(({ address }) => mayUse(address, target.port ?? 0));
    const [first] = addresses;
    if (first === undefined) throw failure(found.length > 0 ? "EPERM" : "ENOTFOUND");
    // A name that is none, so that the platform has to ask for the addresses.
    const known: LookupFunction = (_name, options, callback) =>
      options.all ? callback(null, [...addresses]) : callback(null, first.address, first.family);
    const host = addresses.length > 1 ? "addresses.invalid" : first.address;
    await this.#dialTcp(net, { ...target, host, lookup: known }, "tcp");
  }

  async #dialTcp(
    net: Builtins["net"],
    target: Partial<TcpOptions>,
    phase: ConnectPhase,
  ): Promise<void> {
    this.#checkWanted();
    const { localAddress } = this.#options;
    const local = localAddress === undefined || target.path !== undefined ? {} : { localAddress };
    if (local.localAddress !== undefined && !mayUse(local.localAddress, 0)) throw failure("EPERM");
    this.#phase = phase;
    // RFC 8305: where a host has addresses of both families, the one that answers is taken.
    const socket = net.connect({
      ...target,
      ...local,
      autoSelectFamily: true,
      allowHalfOpen: true,
      noDelay: true,
    });
    socket.on("lookup", (error) => {
      if (!error) this.#phase = "tcp";
    });
    await this.#use(socket, "connect");
  }

  async #secure(
    net: Builtins["net"],
    tls: Builtins["tls"],
    url: URL,
    settings: TlsOptions,
  ): Promise<void> {
    const host = bareHost(url.hostname);
    const { servername = host, checkServerIdentity, ...rest } = settings;
    this.#servername = servername;
    const below = this.#connected();
    const options: TlsConnectOptions = {
      ...rest,
      socket: below,
      // RFC 6066 §3: an address is no server name; the certificate must be for it all the same.
      ...(net.isIP(servername) === 0 ? { host, servername } : { host: servername }),
      // RFC 7301: HTTP/2 can't be upgraded.
      ALPNProtocols: settings.ALPNProtocols ?? ["http/1.1"],
      // Always said, or an environment variable could switch it off.
      rejectUnauthorized: settings.rejectUnauthorized !== false,
      allowHalfOpen: true,
    };
    if (checkServerIdentity !== undefined) {
      options.checkServerIdentity = guardIdentity(checkServerIdentity, ({ message }) => {
        this.#refusal = `tls.checkServerIdentity refused the certificate: ${message}`;
      });
    }
    await this.#use(this.#secured(tls, options), "secureConnect");
  }

  #secured(tls: Builtins["tls"], options: TlsConnectOptions): Socket {
    try {
      return tls.connect(options);
    } catch (cause) {
      this.#refusal = "the platform can't use the option tls";
      throw cause;
    }
  }

  /** Takes a socket in hand, and waits until it is connected. */
  async #use(socket: Socket, event: "connect" | "secureConnect"): Promise<void> {
    const below = this.#socket;
    // An error that comes when nobody waits any more must not end the process.
    socket.on("error", ignore);
    // What is below a destroyed TLS socket may live on.
    if (below !== null) socket.once("close", () => below.destroy());
    this.#socket = socket;
    if (!this.#isRef) socket.unref();
    await once(socket, event);
    this.#checkWanted();
  }

  #checkWanted(): void {
    if (!this.#destroyed) return;
    this.#socket?.destroy();
    throw givenUp();
  }

  #errorOf(cause: unknown): Error {
    if (cause instanceof ConnectError || cause instanceof UnsupportedError) return cause;
    const isName = /^(EAI_|ENOTFOUND)/.test(codeOf(cause));
    const about = this.#proxy === null ? undefined : proxyName(this.#proxy);
    const phase = this.#proxy === null && isName ? "dns" : this.phase;
    if (this.#refusal !== null) {
      return dialError(this.#url, { phase, about, fault: this.#refusal, cause, retryable: false });
    }
    if (cause instanceof ProxyRefusal) {
      const { response, message: fault } = cause;
      return dialError(this.#url, { phase, about, fault, response, cause });
    }
    return dialError(this.#url, { phase, about, host: this.#servername, cause });
  }
}

/** An error as the platform would have made it. */
function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function givenUp(): Error {
  return new WebSocketChannelError("Connecting was given up");
}

function once(socket: Socket, event: "connect" | "secureConnect"): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      socket.removeListener(event, onEvent);
      socket.removeListener("error", onError);
      socket.removeListener("close", onClose);
      act();
    };
    const onEvent = (): void => settle(resolve);
    const onError = (error?: unknown): void => settle(() => reject(error));
    const onClose = (): void => onError(failure("ECONNRESET"));
    socket.once(event, onEvent);
    socket.once("error", onError);
    socket.once("close", onClose);
  });
}

/** Asks a lookup function, which may answer in either of the two ways that there are. */
function lookUp(lookup: LookupFunction, host: string): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    lookup(host, { all: true }, (error, address, family) => {
      if (error) reject(error);
      else if (typeof address !== "string") resolve(address);
      else resolve([{ address, family: family ?? (address.includes(":") ? 6 : 4) }]);
    });
  });
}
