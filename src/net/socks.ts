/**
 * Opens tunnels through SOCKS5 proxies (RFC 1928), with user name and password (RFC 1929).
 *
 * @module
 */

import { percentDecode } from "../handshake/request_fields.ts";
import { joined } from "../protocol/byte_queue.ts";
import { codeOf } from "../realm/kinds.ts";
import type { WireEvents, WireFailure } from "../web_socket/wire.ts";
import type { Socket } from "./builtins.ts";
import { addressBits } from "./environment_proxy.ts";
import { portOf, ProxyRefusal } from "./proxy.ts";
import { SocketWire } from "./socket_wire.ts";

const VERSION = 5;
const NO_AUTHENTICATION = 0;
const USER_AND_PASSWORD = 2;
const NOTHING_ACCEPTABLE = 0xff;
const CONNECT = 1;

/** The types of addresses (RFC 1928 §5). */
const IP_V4 = 1;
const NAME = 3;
const IP_V6 = 4;

/** The meanings of replies (RFC 1928 §6). */
const REPLIES: readonly string[] = [
  "",
  "it failed",
  "its rules don't allow the connection",
  "it can't reach the network of the server",
  "it can't reach the server",
  "the server refused its connection",
  "its connection to the server took too long",
  "it doesn't support the command",
  "it doesn't support this type of address",
];

const NOT_ALLOWED = 2;

/** The replies after which another address of the server may be reachable. */
const UNREACHABLE: readonly number[] = [3, 4, 5, 6, 8];

/** The maximum number of unread bytes, which exceeds the longest reply of SOCKS5. */
const MAX_WAITING = 1024;

/** The maximum length of a name, user name or password in bytes: its length is one byte. */
const MAX_LENGTH = 255;

/**
 * Opens a tunnel through a SOCKS5 proxy.
 *
 * @param socket The connection to the proxy.
 * @param proxy The proxy; only it gets its credentials.
 * @param url The target of the tunnel, for its port.
 * @param host The server: an IP address, or a name that the proxy looks up.
 * @returns A promise that fulfils when the socket is a tunnel; no listener is left on it.
 * @throws {ProxyRefusal} When the proxy refuses, or doesn't speak SOCKS5.
 */
export async function openSocksTunnel(
  socket: Socket,
  proxy: URL,
  url: URL,
  host: string,
): Promise<void> {
  const address = encodeAddress(host);
  const login = encodeLogin(proxy);
  const wire = new SocketWire(socket);
  const reader = new Reader(wire);
  const methods = login === null ? [NO_AUTHENTICATION] : [NO_AUTHENTICATION, USER_AND_PASSWORD];
  wire.write(Uint8Array.of(VERSION, methods.length, ...methods));
  const [version, method] = await reader.read(2);
  if (version !== VERSION) throw new ProxyRefusal("it doesn't speak SOCKS5");
  if (method === NOTHING_ACCEPTABLE) {
    throw new ProxyRefusal(
      login === null
        ? "it requires credentials, or refuses this client. Set credentials in the proxy's URL"
        : "it supports neither a login with user name and password nor clients without login",
      { isFinal: true },
    );
  }
  if (method === USER_AND_PASSWORD && login !== null) await logIn(wire, reader, login);
  else if (method !== NO_AUTHENTICATION) {
    throw new ProxyRefusal("it chose a method that was not offered");
  }
  const port = portOf(url);
  wire.write(Uint8Array.of(VERSION, CONNECT, 0, ...address, port >> 8, port & 0xff));
  await readReply(reader);
  reader.checkEmpty();
  wire.release();
}

async function logIn(wire: SocketWire, reader: Reader, login: Uint8Array): Promise<void> {
  wire.write(login);
  const [, status] = await reader.read(2);
  if (status !== 0) {
    throw new ProxyRefusal("it doesn't accept the credentials of its URL", { isFinal: true });
  }
}

async function readReply(reader: Reader): Promise<void> {
  const [version, reply = 1, , kind] = await reader.read(4);
  if (version !== VERSION) throw new ProxyRefusal("it doesn't speak SOCKS5");
  if (reply !== 0) {
    const text = REPLIES[reply] ?? `it refused with the code ${reply}`;
    throw new ProxyRefusal(text, {
      isUnreachable: UNREACHABLE.includes(reply),
      isFinal: reply === NOT_ALLOWED,
    });
  }
  // The proxy's own address and port, which are not used.
  const length = kind === IP_V4 ? 4 : kind === IP_V6 ? 16 : (await reader.read(1))[0] ?? 0;
  await reader.read(length + 2);
}

/** Encodes a server's address (RFC 1928 §5). */
function encodeAddress(host: string): Uint8Array {
  const bits = addressBits(host);
  if (bits === null) {
    return Uint8Array.of(NAME, ...withLength(percentDecode(host), "the server's name"));
  }
  const bytes = bits.match(/.{8}/g)?.map((it) => parseInt(it, 2)) ?? [];
  return Uint8Array.of(bytes.length === 4 ? IP_V4 : IP_V6, ...bytes);
}

/** Encodes the credentials (RFC 1929 §2); `null` when the URL has none. */
function encodeLogin({ username, password }: URL): Uint8Array | null {
  if (username === "" && password === "") return null;
  const user = withLength(percentDecode(username), "its user name");
  return Uint8Array.of(1, ...user, ...withLength(percentDecode(password), "its password"));
}

function withLength(bytes: readonly number[], what: string): number[] {
  if (bytes.length <= MAX_LENGTH) return [bytes.length, ...bytes];
  throw new ProxyRefusal(`${what} has ${bytes.length} bytes, SOCKS5 takes at most ${MAX_LENGTH}`);
}

/** Reads given numbers of bytes from a wire. */
class Reader implements WireEvents {
  #bytes: Uint8Array = new Uint8Array(0);
  #error: unknown = null;
  #wake: (() => void) | null = null;

  constructor(wire: SocketWire) {
    wire.listen(this);
  }

  onChunk(chunk: Uint8Array): void {
    const length = this.#bytes.length + chunk.length;
    if (length > MAX_WAITING) this.#error ??= new ProxyRefusal("it doesn't speak SOCKS5");
    else this.#bytes = joined([this.#bytes, chunk], length);
    this.#wake?.();
  }

  onDrain(): void {}

  onEnded(): void {}

  onEnd(failure: WireFailure | null): void {
    // The system's own error about the connection says more.
    this.#error ??= failure !== null && codeOf(failure.error) !== ""
      ? failure.error
      : new ProxyRefusal("it ended the connection without an answer");
    this.#wake?.();
  }

  /** Waits for the given number of bytes. */
  async read(length: number): Promise<Uint8Array> {
    while (this.#bytes.length < length) {
      if (this.#error !== null) throw this.#error;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const read = this.#bytes.slice(0, length);
    this.#bytes = this.#bytes.slice(length);
    return read;
  }

  /** Throws if there are unread bytes: in neither TLS nor HTTP the server speaks first, so they aren't the server's. */
  checkEmpty(): void {
    if (this.#bytes.length > 0) {
      throw new ProxyRefusal("it sent data into the tunnel before the server did");
    }
  }
}
