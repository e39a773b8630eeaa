/**
 * `over` and `connectOver` of an entry for pages. The code of the protocol is loaded when one of them is
 * first called, and calls until then are kept.
 *
 * @module
 */

import { internalServerError } from "../../status.ts";
import type { PreparedMessage } from "../protocol/prepared_message.ts";
import { copyOf } from "../realm/bytes.ts";
import { type ChannelLike, closeQuietly, partsOf } from "../stream_channel/channel_like.ts";
import { abortable, Deferred, ignore } from "../stream_channel/errors.ts";
import { Relay } from "../stream_channel/relay.ts";
import { BARE, WITH_HANDSHAKE } from "./capabilities.ts";
import { Channel } from "./channel.ts";
import { ChannelCore } from "./channel_core.ts";
import { closeContent } from "./channel_state.ts";
import type { BytesParts } from "./channel_wire.ts";
import { type Clock, systemClock } from "./clock.ts";
import { parseProtocols, parseUrl } from "./connect_url.ts";
import { ConnectError, UnsupportedError, WebSocketChannelError } from "./errors.ts";
import { checkOption, readOptions } from "../stream_channel/options.ts";
import {
  checkPings,
  CONNECT_OVER_KINDS,
  type ConnectOverOptions,
  OVER_KINDS,
  type OverOptions,
  readClientKinds,
} from "./options.ts";
import { platform } from "./platform.ts";
import { shownUrl } from "./shown_url.ts";
import type { Transport } from "./transport.ts";
import type { CloseFrameContent } from "./close_info.ts";
import { utf8Length } from "./message_input.ts";
import type { WebSocketChannel } from "./web_socket_channel.ts";
import type { MessageInput, SendOptions } from "./web_socket_sink.ts";

/**
 * The module that is loaded later, `loaded_over.ts`. It imports this module, so that the code that both need
 * is one chunk.
 */
export interface LoadedOver {
  /** Starts RFC 6455 over the bytes, and passes on all earlier calls of the late transport. */
  speakLate(core: ChannelCore, bytes: BytesParts, late: LateTransport, options: OverOptions): void;
  /**
   * Does the opening handshake over the bytes, and then starts RFC 6455.
   *
   * @throws {TypeError | RangeError} If an option that wasn't checked before is malformed.
   */
  openLate(core: ChannelCore, bytes: BytesParts, url: URL, given: ConnectOverOptions): void;
}

/** How to load the module. */
export interface LaterOptions {
  readonly load: () => Promise<LoadedOver>;
  /** The source of times. */
  readonly clock?: Clock;
}

/**
 * Speaks RFC 6455 over a channel of bytes, as {@linkcode WebSocketChannel.over} does. The channel is open at
 * once. At most one chunk is read before the module is loaded.
 */
export function overLater(
  bytes: ChannelLike<Uint8Array, Uint8Array>,
  given: OverOptions,
  { load, clock = systemClock }: LaterOptions,
): WebSocketChannel {
  const options = readOptions(given, OVER_KINDS);
  checkPings(options);
  checkOption("side", options.side, OVER_KINDS.side);
  const { protocol = null, extensions = "" } = options;
  if (extensions !== "") {
    throw new UnsupportedError("permessage-deflate", platform(), "This entry has no compressor");
  }
  const held = hold(bytes);
  const core = new ChannelCore(options, clock, {
    transport: "bytes",
    capabilities: BARE,
    url: () => "",
  });
  const late = new LateTransport(() => letGo(held));
  core.attach(late);
  core.open({ protocol, extensions, response: null });
  load().then((it) => {
    if (core.state !== "closed") it.speakLate(core, held, late, options);
  }).catch((cause) => {
    const error = new WebSocketChannelError(`Cannot use the bytes: ${NOT_LOADED}`, { cause });
    core.end({ wasClean: false, initiator: "transport", error });
    late.destroy();
  });
  return new Channel(core);
}

/** Takes the right to read. At most one chunk is read before the result is read. */
function hold(bytes: ChannelLike<Uint8Array, Uint8Array>): Relay<Uint8Array, Uint8Array> {
  return new Relay(partsOf(bytes));
}

function letGo(held: Relay<Uint8Array, Uint8Array>): void {
  held.disconnect().catch(ignore);
}

const NOT_LOADED = "the module of the protocol can't be loaded";

/**
 * Does the opening handshake over a channel of bytes, as {@linkcode WebSocketChannel.connectOver} does.
 * Header fields and compression settings are checked after loading: `ready` rejects if they are invalid.
 */
export function connectOverLater(
  bytes: ChannelLike<Uint8Array, Uint8Array>,
  url: string | URL,
  given: ConnectOverOptions | undefined,
  { load, clock = systemClock }: LaterOptions,
): WebSocketChannel {
  const options = readClientKinds(given, CONNECT_OVER_KINDS);
  const target = parseUrl(url);
  parseProtocols(options.protocols);
  const core = new ChannelCore(options, clock, {
    transport: "bytes",
    capabilities: WITH_HANDSHAKE,
    url: () => shownUrl(target),
  });
  if (options.signal?.aborted) {
    closeQuietly(partsOf(bytes).sink);
    core.startConnectDeadline(options, () => "handshake");
    return new Channel(core);
  }
  // This comes before the attempt has a timer, because it throws if the bytes have another reader.
  const held = hold(bytes);
  core.startConnectDeadline(options, () => "handshake");
  core.opener = { destroy: () => letGo(held), ref: ignore, unref: ignore };
  load().then((it) => {
    if (core.state !== "closed") it.openLate(core, held, target, options);
  }, (cause) => {
    const message = `Cannot connect to ${core.identity.url()}: ${NOT_LOADED}`;
    throw new ConnectError(message, { cause });
  }).catch((error) => {
    core.failToOpen(error);
    letGo(held);
  });
  return new Channel(core);
}

/** A call of a transport that isn't loaded yet. It gets `null` if there will be none. */
type Request = (transport: Transport | null) => void;

/**
 * Replaces a transport while its code is being loaded. It keeps all calls, including the Close, and passes
 * them on in the same order.
 */
export class LateTransport implements Transport {
  readonly errorCode: number = internalServerError;
  readonly #end: () => void;
  #requests: Request[] = [];
  #amount = 0;

  /**
   * Creates a transport without calls.
   *
   * @param end Ends the bytes of the transport.
   */
  constructor(end: () => void) {
    this.#end = end;
  }

  /** Passes all calls on to an open transport. Without one, they fail. */
  static handOver(late: LateTransport, transport: Transport | null): void {
    const requests = late.#requests;
    late.#requests = [];
    for (const request of requests) request(transport);
  }

  get bufferedAmount(): number {
    return this.#amount;
  }

  /** As `bufferedAmount`, but messages without a payload count, too. */
  get load(): number {
    return this.#amount + this.#requests.length;
  }

  #ask(request: Request, amount = 0): true {
    this.#requests.push(request);
    this.#amount += amount;
    return true;
  }

  send(message: MessageInput, options: SendOptions | undefined): boolean {
    const kept = typeof message === "string" ? message : copyOf(message);
    const size = typeof kept === "string" ? utf8Length(kept) : kept.length;
    return this.#ask((it) => void it?.send(kept, options), size);
  }

  sendPrepared(message: PreparedMessage, options: SendOptions | undefined): boolean {
    return this.#ask((it) => void it?.sendPrepared(message, options, false), message.size);
  }

  ping(payload?: Uint8Array, signal?: AbortSignal): Promise<number> {
    const { promise, resolve, reject } = new Deferred<number>();
    this.#ask((it) => {
      if (it !== null) it.ping?.(payload, signal).then(resolve, reject);
      else reject(new WebSocketChannelError("Cannot ping: the channel has ended"));
    });
    return abortable(promise, signal);
  }

  pong(payload: Uint8Array): boolean {
    return this.#ask((it) => void it?.pong?.(payload));
  }

  close(code: number | undefined, reason: string): CloseFrameContent {
    this.#ask((it) => void it?.close(code, reason));
    return closeContent(code, reason);
  }

  hasSentClose(): boolean {
    return false;
  }

  destroy(): void {
    LateTransport.handOver(this, null);
    this.#end();
  }

  watch(): void {
    this.#ask((it) => it?.watch());
  }
}
