/** One end of HTTP/2 that sends any frame, also those that `node:http2` would not send. */

import { createServer, type Server, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { joined } from "../support/bytes.ts";
import { listen } from "../support/loopback.ts";

/** RFC 9113 §6. */
export const TYPE = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** The flag END_HEADERS (RFC 9113 §6.2): no CONTINUATION follows. */
export const END_HEADERS = 4;
/** The flag END_STREAM (RFC 9113 §6.1); also the flag ACK of SETTINGS and PING. */
export const END_STREAM = 1;

const PREFACE = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** A received frame. */
export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

/** A field of a head. */
export type RawField = readonly [name: string, value: string];

/** A number of 32 bits. */
export function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** Encodes literal fields without a table and without compression (RFC 7541 §6.2.2). */
export function encoded(fields: readonly RawField[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, value] of fields) {
    parts.push(Uint8Array.of(0), literal(name), literal(value));
  }
  return joined(parts);
}

function literal(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  const size: number[] = [];
  let rest = bytes.length - 127;
  if (rest < 0) size.push(bytes.length);
  else {
    size.push(127);
    for (; rest >= 128; rest >>= 7) size.push(rest & 127 | 128);
    size.push(rest);
  }
  return joined([Uint8Array.from(size), bytes]);
}

/** A frame. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array,
): Uint8Array {
  const { length } = payload;
  const head = Uint8Array.of(length >>> 16, length >>> 8, length, type, flags);
  return joined([head, uint32(stream), payload]);
}

const NOTHING = new Uint8Array(0);

/** A connection, of either role. It acknowledges SETTINGS. */
export class RawSession {
  readonly socket: Socket;
  readonly frames: RawFrame[] = [];
  /** Fulfils when the connection has ended. */
  readonly ended: Promise<void>;
  isOver = false;
  #rest: Uint8Array;
  #preface: number;
  readonly #onNews = new Set<() => void>();

  constructor(socket: Socket, role: "client" | "server", settings: Uint8Array = NOTHING) {
    this.socket = socket;
    this.#rest = NOTHING;
    this.#preface = role === "server" ? PREFACE.length : 0;
    socket.on("error", () => {});
    this.ended = new Promise((resolve) =>
      socket.on("close", () => {
        this.isOver = true;
        resolve();
        this.#tell();
      })
    );
    socket.on("end", () => socket.destroy());
    socket.on("data", (chunk: Uint8Array) => this.#onData(chunk));
    if (role === "client") socket.write(PREFACE);
    this.send(TYPE.SETTINGS, 0, 0, settings);
  }

  #tell(): void {
    for (const it of [...this.#onNews]) it();
  }

  #onData(chunk: Uint8Array): void {
    let bytes = joined([this.#rest, chunk]);
    if (this.#preface > 0) {
      if (bytes.length < this.#preface) return void (this.#rest = bytes);
      bytes = bytes.subarray(this.#preface);
      this.#preface = 0;
    }
    for (;;) {
      const [a = 0, b = 0, c = 0, type = 0, flags = 0] = bytes;
      const end = 9 + (a << 16 | b << 8 | c);
      if (bytes.length < 9 || bytes.length < end) break;
      const stream = new DataView(bytes.buffer, bytes.byteOffset).getUint32(5) & 0x7fff_ffff;
      const payload = bytes.slice(9, end);
      this.frames.push({ type, flags, stream, payload });
      if (type === TYPE.SETTINGS && (flags & END_STREAM) === 0) {
        this.send(TYPE.SETTINGS, END_STREAM, 0, NOTHING);
      }
      bytes = bytes.subarray(end);
    }
    this.#rest = bytes;
    this.#tell();
  }

  /** Sends a frame. Returns whether the socket has room for more. */
  send(type: number, flags = 0, stream = 0, payload: Uint8Array = NOTHING): boolean {
    return this.isOver || this.socket.write(frame(type, flags, stream, payload));
  }

  /** Sends a head. */
  head(stream: number, fields: readonly RawField[], flags: number = END_HEADERS): void {
    this.send(TYPE.HEADERS, flags, stream, encoded(fields));
  }

  /** Fulfils with the result that a function finds in the frames; with `null` if the connection ends first. */
  async find<T>(look: (frame: RawFrame) => T | null): Promise<T | null> {
    for (;;) {
      for (const it of this.frames) {
        const found = look(it);
        if (found !== null) return found;
      }
      if (this.isOver) return null;
      await new Promise<void>((resolve) => {
        const once = (): void => {
          this.#onNews.delete(once);
          resolve();
        };
        this.#onNews.add(once);
      });
    }
  }

  /** The outcome of a stream: `"200"`, `"refused"`, `"reset 1"`, `"goaway 1"` or `"ended"`. */
  async outcome(stream: number): Promise<string> {
    const found = await this.find((it) => {
      const { type, payload } = it;
      if (type === TYPE.GOAWAY && code(payload, 4) !== 0) return `goaway ${code(payload, 4)}`;
      if (it.stream !== stream) return null;
      if (type === TYPE.HEADERS) return isSuccess(payload) ? "200" : "refused";
      return type === TYPE.RST_STREAM ? `reset ${code(payload, 0)}` : null;
    });
    return found ?? "ended";
  }

  destroy(): void {
    this.socket.destroy();
  }
}

function code(payload: Uint8Array, at: number): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(at);
}

/** Reads the status. Entry 8 is `:status: 200` (RFC 7541 Appendix A); a table size update may precede it. */
function isSuccess(payload: Uint8Array): boolean {
  let at = 0;
  while (((payload[at] as number) & 0xe0) === 0x20) {
    const isLong = ((payload[at++] as number) & 0x1f) === 0x1f;
    if (isLong) { while (((payload[at++] as number) & 0x80) !== 0); }
  }
  return payload[at] === 0x88;
}

/** Connects to a server of HTTP/2 with TLS. */
export async function openRaw(url: string, settings?: Uint8Array): Promise<RawSession> {
  const { hostname, port } = new URL(url);
  const socket = connectTls({
    host: hostname,
    port: Number(port),
    ALPNProtocols: ["h2"],
    rejectUnauthorized: false,
  });
  await new Promise((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
  });
  return new RawSession(socket, "client", settings);
}

/** The fields of an extended CONNECT. */
export function connectFields(url: string, path = "/"): RawField[] {
  return [
    [":method", "CONNECT"],
    [":protocol", "websocket"],
    [":scheme", "https"],
    [":path", path],
    [":authority", new URL(url).host],
    ["sec-websocket-version", "13"],
  ];
}

/** A server of HTTP/2 without TLS whose behaviour is a function. */
export interface RawServer {
  readonly url: string;
  close(): Promise<void>;
}

/** RFC 8441 §3: SETTINGS_ENABLE_CONNECT_PROTOCOL is 1. */
const SETTINGS = Uint8Array.of(0, 8, 0, 0, 0, 1);

/** Starts one. */
export async function startRaw(onSession: (session: RawSession) => void): Promise<RawServer> {
  const sessions = new Set<RawSession>();
  const server: Server = createServer((socket) => {
    const session = new RawSession(socket, "server", SETTINGS);
    sessions.add(session);
    onSession(session);
  });
  const port = await listen(server);
  return {
    url: `ws://127.0.0.1:${port}`,
    close() {
      for (const it of sessions) it.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
