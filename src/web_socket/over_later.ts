/**
 * `over` and `connectOver` of an entry for pages: what speaks the protocol is loaded when one of them is
 * first called, and nothing is lost meanwhile.
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

/** What is loaded later: `loaded_over.ts`. It imports this module, so that what both need is one chunk. */
export interface LoadedOver {
  /** Speaks RFC 6455 over the bytes, with what was asked of the late transport first. */
  speakLate(core: ChannelCore, bytes: BytesParts, late: LateTransport, options: OverOptions): void;
  /**
   * Does the opening handshake over the bytes, and speaks RFC 6455 then.
   *
   * @throws {TypeError | RangeError} When what wasn't looked into before is malformed.
   */
  openLate(core: ChannelCore, bytes: BytesParts, url: URL, given: ConnectOverOptions): void;
}

/** What is loaded, and how. */
export interface LaterOptions {
  readonly load: () => Promise<LoadedOver>;
  /** Where times come from. */
  readonly clock?: Clock;
}

/** See {@linkcode WebSocketChannel.over}. The channel is open at once; at most one chunk is read before all is loaded. */
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

/** Takes the right to read: at most one chunk is read before the returned stream is read. */
function hold(bytes: ChannelLike<Uint8Array, Uint8Array>): Relay<Uint8Array, Uint8Array> {
  return new Relay(partsOf(bytes));
}

function letGo(held: Relay<Uint8Array, Uint8Array>): void {
  held.disconnect().catch(ignore);
}

const NOT_LOADED = "the module that speaks the protocol can't be loaded";

/**
 * See {@linkcode WebSocketChannel.connectOver}. Header fields and settings of the compression are checked when
 * all is loaded: what is wrong with them rejects `ready`.
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
  // Before the attempt has a timer: it throws if the bytes have another reader.
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

/** Something that was asked of a transport that isn't there yet; `null`: there will be none. */
type Request = (transport: Transport | null) => void;

/**
 * Takes the place of a transport while its code is being loaded: it keeps what is sent, the Close
 * included, and hands everything over in the same order.
 */
export class LateTransport implements Transport {
  readonly errorCode: number = internalServerError;
  readonly #end: () => void;
  #requests: Request[] = [];
  #amount = 0;

  /**
   * Creates one that holds nothing.
   *
   * @param end Ends what the transport would be over.
   */
  constructor(end: () => void) {
    this.#end = end;
  }

  /** Does on a transport, which is open, all that was asked of another; without one, it is lost. */
  static handOver(late: LateTransport, transport: Transport | null): void {
    const requests = late.#requests;
    late.#requests = [];
    for (const request of requests) request(transport);
  }

  get bufferedAmount(): number {
    return this.#amount;
  }

  /** Messages without a payload take room as well. */
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
