import type { HeaderMap } from "../handshake/header_map.ts";
import { HeaderMap as Fields, splitList } from "../handshake/header_map.ts";
import type { RequestHead } from "../handshake/http_head.ts";

/** The request that asked for a channel. */
export interface ServerRequest {
  /**
   * What was asked for: `ws:` or `wss:`, the Host header, path and query. The client chose all of
   * it: it says nothing about where the server really is.
   */
  readonly url: URL;
  /** The header fields. */
  readonly headers: Headers;
  /** The subprotocols that the client offers, its favourite first. */
  readonly protocols: readonly string[];
  /** The Origin header, which browsers send; `null` when there was none. */
  readonly origin: string | null;
  /** The IP address that the connection comes from: a proxy's, where there is one. */
  readonly remoteAddress: string | null;
  /** The port that the connection comes from. */
  readonly remotePort: number | null;
  /** Aborts when the client is gone, or the server gives up, before the upgrade was decided about. */
  readonly signal: AbortSignal;
}

/** Where a request came from. */
export interface Remote {
  readonly secure: boolean;
  readonly address: string | null;
  readonly port: number | null;
}

/** A request in the form it takes the least memory in: it lives as long as its channel. */
export class UpgradeServerRequest implements ServerRequest {
  readonly #target: string;
  /** Names and values by turns, each on a line: one text is a third of the size of many. */
  readonly #raw: string;
  readonly #remote: Remote;
  #abort: AbortController | undefined;
  #gone = false;

  /**
   * Makes a request.
   *
   * @param target The request's target.
   * @param raw Header names and values by turns.
   * @param remote Where it came from.
   */
  constructor(target: string, raw: readonly string[], remote: Remote) {
    this.#target = target;
    this.#raw = raw.join("\n");
    this.#remote = remote;
  }

  get url(): URL {
    return urlOf(this.#target, this.#fields().get("host"), this.#remote.secure);
  }

  get headers(): Headers {
    return new Headers([...this.#fields()]);
  }

  get protocols(): readonly string[] {
    return splitList(this.#fields().get("sec-websocket-protocol") ?? "");
  }

  get origin(): string | null {
    return this.#fields().get("origin");
  }

  get remoteAddress(): string | null {
    return this.#remote.address;
  }

  get remotePort(): number | null {
    return this.#remote.port;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#gone) this.#abort.abort(gone());
    }
    return this.#abort.signal;
  }

  /** The client is gone before it got an answer. */
  giveUp(): void {
    this.#gone = true;
    this.#abort?.abort(gone());
  }

  #fields(): HeaderMap {
    return fieldsOfRaw(this.#raw.split("\n"));
  }
}

function gone(): DOMException {
  return new DOMException("The client is gone", "AbortError");
}

/** Header fields from a list of names and values by turns. */
export function fieldsOfRaw(raw: readonly string[]): HeaderMap {
  const fields = new Fields();
  for (let i = 0; i + 1 < raw.length; i += 2) fields.append(raw[i] as string, raw[i + 1] as string);
  return fields;
}

/** The URL that a head asks for, or `null` when there is none that makes sense. */
export function requestUrl({ target, headers }: RequestHead, secure: boolean): URL | null {
  try {
    return urlOf(target, headers.get("host"), secure);
  } catch {
    return null;
  }
}

/**
 * RFC 9112 §3.2: a target is a path, or (from a proxy's client) a whole URL, whose host then counts
 * for nothing here. It is put behind the host, not resolved against it: `//other` is a path.
 */
function urlOf(target: string, host: string | null, secure: boolean): URL {
  const path = target.startsWith("/") ? target : absolutePath(target);
  const url = new URL(`${secure ? "wss" : "ws"}://${host}${path}`);
  if (target.includes("#") || url.hash !== "") throw new TypeError("A target has no fragment");
  return url;
}

function absolutePath(target: string): string {
  if (!/^(https?|wss?):\/\//i.test(target)) throw new TypeError("Neither a path nor a URL");
  const { pathname, search } = new URL(target);
  return pathname + search;
}
