import { HeadCollector, latin1Bytes, ResponseParser } from "../handshake/http_head.ts";
import { HandshakeError } from "../handshake/handshake_error.ts";
import { Dial, type DialOptions } from "../net/dial.ts";
import { messageOf } from "../realm/kinds.ts";
import { builtinModule } from "../realm/builtin_module.ts";
import { systemClock } from "../web_socket/clock.ts";
import { type FrameEvents, FrameReader } from "./frame_reader.ts";
import type { TapSocket } from "./process.ts";

/** Who has sent something. */
export type From = "client" | "server";

/** A head as it passes: its first line, and its fields. */
export interface TappedHead {
  readonly line: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/** What a tapped connection reports. */
export interface TapEvents {
  /** The client has asked. */
  onRequest(head: TappedHead): void;
  /** The server has answered; after a 101 frames follow. */
  onResponse(status: number, head: TappedHead): void;
  /** What to report about the frames of a side. */
  frames(from: From): FrameEvents;
  /** It has ended; `fault` is empty when there was none. */
  onEnd(fault: string): void;
}

/** Options of {@linkcode startTap}. */
export interface TapOptions {
  readonly hostname: string;
  readonly port: number;
  readonly target: URL;
  readonly dial: DialOptions;
  /** Header fields for the server, in place of the client's of these names. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Whether the client's offer to compress is passed on. */
  readonly keepsCompression: boolean;
  /** How many bytes of a message are kept to be shown. */
  readonly limit: number;
  /** A connection begins. */
  readonly onConnection: () => TapEvents;
}

/** A running tap. */
export interface Tap {
  readonly port: number;
  /** Ends it, and all connections. */
  close(): void;
}

interface NetServer {
  on(event: "error", listener: (error: unknown) => void): unknown;
  listen(port: number, hostname: string, callback: () => void): unknown;
  address(): { readonly port: number };
  close(): unknown;
}

interface Net {
  createServer(options: object, listener: (socket: TapSocket) => void): NetServer;
}

/**
 * Listens, and relays each connection to a server. Bytes pass as they are, but for a few fields of the request: Host, an
 * Origin of the same host, and the offer to compress.
 *
 * @throws What the platform reports when it can't listen.
 */
export async function startTap(options: TapOptions): Promise<Tap> {
  const running = new Set<Relayed>();
  const server = (builtinModule<Net>("net") as Net).createServer(
    { allowHalfOpen: true, noDelay: true },
    (socket) => {
      const relayed: Relayed = new Relayed(socket, options, () => running.delete(relayed));
      running.add(relayed);
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen(options.port, options.hostname, resolve);
  });
  return {
    port: server.address().port,
    close() {
      server.close();
      for (const relayed of running) relayed.destroy("stopped");
    },
  };
}

/** How many bytes of a client are kept that doesn't wait for the answer. */
const MAX_AHEAD = 1 << 20;

/** One connection, and that to the server. */
class Relayed {
  readonly #client: TapSocket;
  readonly #options: TapOptions;
  readonly #onOver: () => void;
  readonly #events: TapEvents;
  #server: TapSocket | null = null;
  #dial: Dial | null = null;
  #collector: HeadCollector<string> | null = new HeadCollector<string>((line) => line);
  /** What the client has sent before the server was there. */
  #early: Uint8Array[] = [];
  #head: Uint8Array[] = [];
  #response: ResponseParser | null = new ResponseParser();
  #answer: Uint8Array[] = [];
  #readers: { readonly client: FrameReader; readonly server: FrameReader } | null = null;
  /** Frames of a client that doesn't wait for the answer. */
  #ahead: Uint8Array[] = [];
  #aheadSize = 0;
  #isOver = false;

  constructor(client: TapSocket, options: TapOptions, onOver: () => void) {
    this.#client = client;
    this.#options = options;
    this.#onOver = onOver;
    this.#events = options.onConnection();
    client.on("data", (chunk) => this.#guarded(() => this.#onClient(chunk)));
    this.#watch(client, () => this.#server);
  }

  /** An end passes on; a connection that breaks breaks the other one. */
  #watch(socket: TapSocket, other: () => TapSocket | null): void {
    let fault = "";
    socket.on("error", (error) => fault = messageOf(error));
    socket.on("end", () => {
      const to = other();
      if (to === null) this.destroy("the client left before the server was there");
      else to.end();
    });
    socket.on("drain", () => other()?.resume());
    socket.on("close", () => {
      if (fault !== "" || other()?.destroyed !== false) return this.destroy(fault);
      other()?.end();
    });
  }

  destroy(fault: string): void {
    if (this.#isOver) return void this.#client.destroy();
    this.#isOver = true;
    this.#dial?.destroy();
    this.#client.destroy();
    this.#server?.destroy();
    this.#onOver();
    this.#events.onEnd(fault);
  }

  /** A head that is malformed ends the connection. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error;
      this.destroy(messageOf(error));
    }
  }

  #onClient(chunk: Uint8Array): void {
    if (this.#collector !== null) return this.#collect(chunk);
    if (this.#server === null) {
      this.#early.push(chunk.slice());
      return void this.#client.pause();
    }
    this.#passClient(chunk);
  }

  #collect(chunk: Uint8Array): void {
    const end = this.#collector?.push(chunk) ?? -1;
    this.#head.push(chunk.slice(0, end < 0 ? chunk.length : end));
    if (end < 0) return;
    this.#collector = null;
    if (end < chunk.length) this.#early.push(chunk.slice(end));
    this.#client.pause();
    const head = headOf(this.#head);
    this.#head = [];
    this.#events.onRequest(head);
    void this.#connect(head);
  }

  async #connect(head: TappedHead): Promise<void> {
    const { target, dial: dialOptions } = this.#options;
    const dial = this.#dial = new Dial(wsUrl(target), dialOptions, systemClock);
    try {
      const server = await dial.connect() as unknown as TapSocket;
      if (this.#isOver) return void server.destroy();
      this.#server = server;
      server.on("data", (chunk) => this.#guarded(() => this.#onServer(chunk)));
      this.#watch(server, () => this.#client);
      server.write(requestOf(head, this.#options));
      for (const chunk of this.#early.splice(0)) this.#passClient(chunk);
      this.#client.resume();
    } catch (error) {
      const body = "The tap can't reach the server\n";
      const text =
        `HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      if (this.#isOver) return;
      this.#isOver = true;
      this.#events.onEnd(messageOf(error));
      this.#client.write(latin1Bytes([text]));
      this.#client.end();
      const timer = setTimeout(() => this.#client.destroy(), 1000);
      this.#client.on("close", () => {
        clearTimeout(timer);
        this.#onOver();
      });
    }
  }

  #passClient(chunk: Uint8Array): void {
    if (this.#readers !== null) this.#readers.client.push(chunk);
    else if (this.#response !== null && !this.#keep(chunk)) return;
    if (this.#server?.write(chunk) === false) this.#client.pause();
  }

  /** Keeps what arrives before the answer. A client should wait for that (RFC 6455 §4.1): it can't fill the memory. */
  #keep(chunk: Uint8Array): boolean {
    this.#aheadSize += chunk.length;
    if (this.#aheadSize <= MAX_AHEAD) return this.#ahead.push(chunk.slice()) > 0;
    this.destroy("the client sent more than 1 MiB before the answer of the server");
    return false;
  }

  #onServer(chunk: Uint8Array): void {
    if (this.#response !== null) this.#readAnswer(chunk);
    else this.#readers?.server.push(chunk);
    if (!this.#client.write(chunk)) this.#server?.pause();
  }

  #readAnswer(chunk: Uint8Array): void {
    this.#answer.push(chunk.slice());
    const parsed = this.#response?.push(chunk) ?? null;
    if (parsed === null) return;
    this.#response = null;
    const { head, rest } = parsed;
    this.#events.onResponse(head.status, headOf(this.#answer));
    this.#answer = [];
    if (head.status !== 101) return;
    const { limit } = this.#options;
    const readers = this.#readers = {
      client: new FrameReader(this.#events.frames("client"), limit),
      server: new FrameReader(this.#events.frames("server"), limit),
    };
    for (const ahead of this.#ahead.splice(0)) readers.client.push(ahead);
    readers.server.push(rest);
  }
}

/** A head's lines as they came. */
function headOf(chunks: readonly Uint8Array[]): TappedHead {
  let text = "";
  for (const chunk of chunks) for (const byte of chunk) text += String.fromCharCode(byte);
  const end = text.indexOf("\r\n\r\n");
  const [line = "", ...fields] = text.slice(0, end < 0 ? undefined : end).split("\r\n");
  return {
    line,
    fields: fields.map((field) => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon), field.slice(colon + 1).trim()] as const;
    }),
  };
}

/** Dialling takes `ws:` and `wss:`. */
function wsUrl(target: URL): URL {
  const url = new URL(target);
  url.protocol = url.protocol.replace("http", "ws");
  return url;
}

/** The request as the server gets it. */
function requestOf({ line, fields }: TappedHead, options: TapOptions): Uint8Array {
  const { target, headers, keepsCompression } = options;
  const [method = "GET", asked = "/", version = "HTTP/1.1"] = line.split(" ");
  const isWhole = target.pathname !== "/" || target.search !== "";
  const path = isWhole ? `${target.pathname}${target.search}` : asked;
  const replaced = new Set(headers.map(([name]) => name.toLowerCase()));
  const host = fields.find(([name]) => name.toLowerCase() === "host")?.[1] ?? "";
  const isSecure = /^(?:wss|https):$/.test(target.protocol);
  const kept = fields.flatMap(([name, value]): [string, string][] => {
    const lower = name.toLowerCase();
    if (replaced.has(lower)) return [];
    if (lower === "host") return [[name, target.host]];
    if (lower === "sec-websocket-extensions" && !keepsCompression) return [];
    const isSame = lower === "origin" && value.replace(/^https?:\/\//, "") === host;
    return [[name, isSame ? `${isSecure ? "https" : "http"}://${target.host}` : value]];
  });
  const lines = [...kept, ...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  return latin1Bytes([`${method} ${path} ${version}\r\n`, ...lines, "\r\n"]);
}
