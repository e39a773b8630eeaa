import type { HandshakeAgreement } from "../handshake/client_handshake.ts";
import {
  checkCompressionOptions,
  type CompressionOptions,
} from "../handshake/deflate_parameters.ts";
import type { Side } from "../protocol/frame.ts";
import type { PreparedMessage } from "../protocol/prepared_message.ts";
import { Protocol, type ProtocolEvents } from "../protocol/protocol.ts";
import { closeQuietly } from "../stream_channel/channel_like.ts";
import { Deferred } from "../stream_channel/deferred.ts";
import { ignore } from "../stream_channel/errors.ts";
import { internalServerError, noStatusReceived } from "../../status.ts";
import { ByteConnection, type ByteTransport, type TransportFailure } from "./byte_transport.ts";
import { type Capabilities, NO_CAPABILITIES } from "./capabilities.ts";
import { ClientOpening } from "./client_opening.ts";
import { type Clock, MAX_TIMEOUT } from "./clock.ts";
import { closeContent, type Ending } from "./closing.ts";
import {
  type AttemptOptions,
  type ChannelOptions,
  checkNumber,
  checkNumbers,
  type ConnectRequest,
  DEFAULT_CLOSE_TIMEOUT,
} from "./connect_options.ts";
import { createMessageDeflate, negotiableCompression } from "./deflate.ts";
import {
  type ConnectError,
  type HandshakeResponse,
  ProtocolError,
  WebSocketChannelError,
} from "./errors.ts";
import { Keepalive, type KeepaliveOwner } from "./keepalive.ts";
import { randomMaskingKeys } from "./masking_keys.ts";
import { bytesOf } from "./message_input.ts";
import type { CloseFrameContent } from "./web_socket_channel.ts";
import { WebSocketChannelBase } from "./web_socket_channel_base.ts";
import type { MessageInput, SendOptions } from "./web_socket_sink.ts";

/** The default of {@linkcode ProtocolOptions.maxMessageSize}: 100 MiB. */
export const DEFAULT_MAX_MESSAGE_SIZE: number = 100 * 1024 * 1024;

/** Options of every channel that speaks the protocol itself. */
export interface ProtocolOptions extends ChannelOptions {
  /**
   * How often to ping the peer, in milliseconds; 0: never. When no sign of life comes within
   * `pingTimeout`, the channel ends at once: 1006, initiator `"timeout"`. Default 0.
   */
  pingInterval?: number | undefined;
  /**
   * How long to wait for a sign of life after a ping, in milliseconds; 0: for ever. Default:
   * `pingInterval`.
   */
  pingTimeout?: number | undefined;
  /**
   * The largest message to receive, in bytes, before and after decompressing. A larger one fails the
   * connection with 1009. Default 100 MiB.
   */
  maxMessageSize?: number | undefined;
  /** Whether, and how, to compress messages (RFC 7692). Default `false`. */
  compression?: boolean | CompressionOptions | undefined;
}

/** What this channel's opening handshake still has to do. */
export interface OpeningRequest {
  readonly request: ConnectRequest;
  readonly origin?: string | undefined;
}

const CAPABILITIES: Capabilities = Object.freeze({
  ...NO_CAPABILITIES,
  "ping": true,
  "inbound-backpressure": true,
  "message-limit": true,
  "compression-options": true,
  "all-close-codes": true,
});

/** The same for all of a server's connections: an object of its own for each takes 400 bytes. */
const DESTROYABLE: Capabilities = Object.freeze({ ...CAPABILITIES, "terminate": true });

/** Our own implementation of RFC 6455, over any channel of bytes, on either side. */
export class ProtocolChannel extends WebSocketChannelBase {
  protected readonly errorCode: number = internalServerError;

  readonly #side: Side;
  readonly #options: ProtocolOptions;
  readonly #keepalive: Keepalive;
  #capabilities: Capabilities = CAPABILITIES;
  #bytes: ByteConnection | null = null;
  #protocol: Protocol | null = null;
  #receive: (chunk: Uint8Array) => void = ignore;
  #opening: ClientOpening | null = null;
  /** Bounds what may never come: a refusal's body, the end of a transport whose sink is over. */
  #deadline: unknown;
  #flushPlanned = false;
  /** Output waits for the transport to have room. */
  #blocked = false;
  #watching = false;
  #reading = true;
  /** The transport is over: what it still has to give is taken, room or not. */
  #draining = false;
  readonly #flushNow = (): void => this.#flush();

  /**
   * Makes a channel that is connecting.
   *
   * @param side Which end it is.
   * @param options See {@linkcode ProtocolOptions}.
   * @param clock Where times come from.
   */
  constructor(side: Side, options: ProtocolOptions, clock: Clock) {
    checkProtocolOptions(options);
    super(options, clock);
    this.#side = side;
    this.#options = options;
    const { pingInterval = 0, pingTimeout = pingInterval } = options;
    this.#keepalive = new Keepalive(this.#keepaliveOwner(), clock, { pingInterval, pingTimeout });
  }

  get capabilities(): Capabilities {
    return this.#capabilities;
  }

  override get latency(): number | null {
    return this.#keepalive.latency;
  }

  override ping(): Promise<number> {
    if (this.state === "open") return this.#keepalive.ping();
    const answer = new Deferred<number>();
    if (this.state === "connecting") {
      this.ready.then(() => this.ping()).then(answer.resolve, answer.reject);
    } else answer.reject(new WebSocketChannelError(`Cannot ping: the channel is ${this.state}`));
    return answer.promise;
  }

  override ref(): void {
    this.#bytes?.ref();
  }

  override unref(): void {
    this.#bytes?.unref();
  }

  // The beginning. A subclass, or whoever made the channel, calls one of these.

  /** Bounds the attempt. See {@linkcode WebSocketChannelBase}. */
  bound(options: AttemptOptions, phase: () => string): void {
    this.watchAttempt(options, phase);
  }

  /** The attempt has failed before there was a transport to speak over. */
  fail(error: unknown): void {
    this.failToOpen(error);
  }

  /** Speaks over a transport whose opening handshake is done. */
  begin(
    transport: ByteTransport,
    agreement: HandshakeAgreement,
    response: HandshakeResponse | null = null,
  ): void {
    if (this.state === "closed") return discard(transport);
    this.#connect(transport);
    this.#agree(agreement, response);
  }

  /** Does the client's opening handshake over a transport, then speaks over it. */
  beginWithHandshake(transport: ByteTransport, { request, origin }: OpeningRequest): void {
    if (this.state === "closed") return discard(transport);
    const compression = this.#compression();
    const opening = new ClientOpening(request, {
      origin,
      compression: compression && negotiableCompression(compression, this.#side),
    }, {
      onAgreed: (agreement, response, rest) => this.#onAgreed(agreement, response, rest),
      onFailed: (error) => this.#onRefused(error),
      onRefusing: (status) => {
        if (this.wantsBody(status)) this.#setDeadline(() => opening.end());
        else opening.end();
      },
    });
    this.#capabilities = { ...CAPABILITIES, "headers": true, "handshake-response": true };
    this.#opening = opening;
    this.#receive = (chunk) => opening.receive(chunk);
    this.#connect(transport).write([opening.head]);
  }

  #connect(transport: ByteTransport): ByteConnection {
    const bytes = new ByteConnection(transport, {
      onChunk: (chunk) => this.#receive(chunk),
      onOver: () => this.#onTransportOver(),
      onEnd: (failure) => this.#onTransportEnd(failure),
    });
    if (bytes.canDestroy) {
      this.#capabilities = this.#capabilities === CAPABILITIES
        ? DESTROYABLE
        : { ...this.#capabilities, "terminate": true };
    }
    this.#bytes = bytes;
    return bytes;
  }

  #compression(): CompressionOptions | null {
    const { compression = false } = this.#options;
    return typeof compression === "object" ? compression : compression ? {} : null;
  }

  #onAgreed(agreement: HandshakeAgreement, response: HandshakeResponse, rest: Uint8Array): void {
    this.#opening = null;
    this.#agree(agreement, response);
    // RFC 6455 §4.1: frames may come right behind the answer.
    if (rest.length > 0) this.#receive(rest);
  }

  #agree(
    { protocol, extensions, deflate }: HandshakeAgreement,
    response: HandshakeResponse | null,
  ): void {
    const compressor = deflate === null
      ? null
      : createMessageDeflate(deflate, this.#side, this.#compression() ?? {});
    const connection = new Protocol({
      side: this.#side,
      maskingKeys: randomMaskingKeys,
      maxMessageSize: this.#options.maxMessageSize ?? DEFAULT_MAX_MESSAGE_SIZE,
      ownsChunks: this.#bytes?.ownsChunks,
      deflate: compressor ?? undefined,
    }, this.#events());
    this.#protocol = connection;
    this.#receive = (chunk) => {
      this.#keepalive.heard();
      connection.receive(chunk);
    };
    this.open({ protocol, extensions, response });
    if (this.state === "open") this.#keepalive.start();
  }

  #onRefused(error: ConnectError): void {
    this.#clearDeadline();
    this.#bytes?.destroy();
    if (this.onRefused(error)) return;
    this.failToOpen(error);
    this.destroyTransport();
  }

  /** Whether a refusal's body is worth waiting for. */
  protected wantsBody(_status: number): boolean {
    return true;
  }

  /**
   * The server has refused.
   *
   * @returns Whether that isn't the last word: the handshake is begun anew, over another transport.
   */
  protected onRefused(_error: ConnectError): boolean {
    return false;
  }

  #setDeadline(callback: () => void): void {
    this.#clearDeadline();
    this.#deadline = this.clock.setTimeout(
      callback,
      this.#options.closeTimeout ?? DEFAULT_CLOSE_TIMEOUT,
    );
  }

  #clearDeadline(): void {
    if (this.#deadline !== undefined) this.clock.clearTimeout(this.#deadline);
    this.#deadline = undefined;
  }

  // What the protocol tells.

  #events(): ProtocolEvents {
    return {
      onMessage: (message) => this.incoming.add(message),
      onPong: (payload) => this.#keepalive.onPong(payload),
      onClose: (code, reason) => this.#onClose(code, reason),
      onFailure: (code, reason) => this.#onFailure(code, reason),
      onOutput: () => this.#planFlush(),
    };
  }

  #onClose(code: number, reason: string): void {
    this.#keepalive.stop();
    this.peerClosed({ code, reason }, this.#sentClose());
    // RFC 6455 §7.1.1: the server ends TCP first, the client waits for that (and not for ever).
    if (this.#side === "server") void this.#finish({ wasClean: true, initiator: "remote" });
  }

  #onFailure(code: number, reason: string): void {
    this.#keepalive.stop();
    this.failConnection(
      new ProtocolError(`The peer broke the protocol: ${reason}`, code),
      this.#sentClose(),
    );
    void this.#finish({ wasClean: false, initiator: "protocol-error" });
  }

  #sentClose(): CloseFrameContent | undefined {
    return this.#protocol?.sentClose ?? undefined;
  }

  /** Ends the transport behind what is written, then the channel; the close timer bounds it. */
  async #finish(ending: Ending): Promise<void> {
    const bytes = this.#bytes;
    if (bytes === null) return;
    if (this.#blocked) await bytes.ready;
    this.#write(bytes);
    await bytes.flush();
    await bytes.close();
    this.end(ending);
  }

  /** The transport is over, which a reader that makes no room must not hide. */
  #onTransportOver(): void {
    if (this.#protocol === null) return;
    this.#draining = true;
    this.#resumeReading();
    // Where only the sink is broken the stream may never end.
    this.#setDeadline(() => this.#onTransportEnd(this.#bytes?.failure ?? null));
  }

  #onTransportEnd(failure: TransportFailure | null): void {
    this.#clearDeadline();
    if (this.#opening !== null) return this.#opening.end(failure?.error);
    const protocol = this.#protocol;
    protocol?.end();
    this.#keepalive.stop();
    if (protocol !== null && protocol.receivedClose !== null && protocol.sentClose !== null) {
      return void this.#finish({ wasClean: true, initiator: "remote" });
    }
    const message = "The connection was lost: it ended without a Close frame";
    const cause = failure === null ? undefined : { cause: failure.error };
    const error = new WebSocketChannelError(message, cause);
    const ending: Ending = { wasClean: false, initiator: "transport", error };
    // What this end has begun to send, its Close above all, still goes out.
    if (this.state === "closing") return void this.#finish(ending);
    this.#bytes?.destroy();
    this.end(ending);
  }

  // What goes out.

  override sendShared(message: PreparedMessage, options?: SendOptions): boolean {
    if (this.#side === "client") return super.sendShared(message, options);
    return this.#protocol?.sendPrepared(message, options) ?? false;
  }

  sendMessage(message: MessageInput, options: SendOptions | undefined): void {
    const protocol = this.#protocol;
    if (typeof message === "string") protocol?.sendText(message, options);
    else protocol?.sendBinary(bytesOf(message), options);
  }

  /** All that is sent in one turn leaves in one write. */
  #planFlush(): void {
    if (this.#flushPlanned || this.#blocked) return;
    this.#flushPlanned = true;
    if (this.#bytes === null) queueMicrotask(this.#flushNow);
    else this.#bytes.soon(this.#flushNow);
  }

  #flush(): void {
    this.#flushPlanned = false;
    const bytes = this.#bytes;
    if (bytes === null || this.#blocked) return;
    if (bytes.bufferedAmount < this.highWaterMark) return this.#write(bytes);
    // What isn't taken from the protocol stays exact there, and pongs don't pile up.
    this.#blocked = true;
    bytes.ready.then(() => {
      this.#blocked = false;
      this.#write(bytes);
    });
  }

  #write(bytes: ByteConnection): void {
    const protocol = this.#protocol;
    if (protocol === null || protocol.outputSize === 0) return;
    bytes.write(protocol.takeOutput());
    if (this.outgoing.isWaitedFor) this.#drained(bytes);
  }

  #drained(bytes: ByteConnection): void {
    this.outgoing.drained();
    if (!this.outgoing.isWaitedFor || this.#watching) return;
    this.#watching = true;
    const look = (): void => {
      this.#watching = false;
      this.outgoing.drained();
      if (this.outgoing.isWaitedFor && this.state !== "closed") this.#drainedLater(bytes);
    };
    bytes.ready.then(look);
  }

  /** There is room, but not as much as somebody waits for. */
  #drainedLater(bytes: ByteConnection): void {
    if (this.#watching) return;
    this.#watching = true;
    bytes.flush().then(() => {
      this.#watching = false;
      this.outgoing.drained();
    });
  }

  override watchTransport(): void {
    if (this.#bytes !== null) this.#drained(this.#bytes);
  }

  transportAmount(): number {
    return (this.#protocol?.outputSize ?? 0) + (this.#bytes?.bufferedAmount ?? 0);
  }

  // Closing, and backpressure.

  protected startClosing(code: number | undefined, reason: string): CloseFrameContent {
    this.#keepalive.stop();
    this.#protocol?.close(code, code === undefined ? undefined : reason);
    this.#resumeReading();
    return closeContent(code ?? noStatusReceived, reason);
  }

  protected destroyTransport(): void {
    this.#clearDeadline();
    this.#keepalive.stop();
    this.#protocol?.end();
    this.#bytes?.destroy();
  }

  override pauseTransport(): void {
    if (this.state !== "open" || this.#draining) return;
    this.#reading = false;
    this.#protocol?.pause();
    this.#bytes?.pause();
  }

  override resumeTransport(): void {
    this.#resumeReading();
  }

  #resumeReading(): void {
    if (this.#reading) return;
    this.#reading = true;
    // While nothing was read the peer could not show that it lives.
    this.#keepalive.heard();
    this.#bytes?.resume();
    this.#protocol?.resume();
  }

  #keepaliveOwner(): KeepaliveOwner {
    return new PingOwner(() => this.#reading, {
      sendPing: (payload) => void this.#protocol?.ping(payload),
      onDead: () => {
        const message = "The connection was lost: no sign of life came in time after a ping";
        this.destroyTransport();
        this.end({
          wasClean: false,
          initiator: "timeout",
          error: new DOMException(message, "TimeoutError"),
        });
      },
    });
  }
}

/** A class: an object made with a getter of its own is a hash table, large and slow. */
class PingOwner implements KeepaliveOwner {
  readonly #isReading: () => boolean;
  readonly sendPing: (payload: Uint8Array) => void;
  readonly onDead: () => void;

  constructor(
    isReading: () => boolean,
    { sendPing, onDead }: Pick<KeepaliveOwner, "sendPing" | "onDead">,
  ) {
    this.#isReading = isReading;
    this.sendPing = sendPing;
    this.onDead = onDead;
  }

  get isReading(): boolean {
    return this.#isReading();
  }
}

function discard(transport: ByteTransport): void {
  if (transport.destroy !== undefined) return transport.destroy();
  closeQuietly(transport.sink);
}

/** Checks the options of a channel that speaks the protocol itself. */
export function checkProtocolOptions(options: ProtocolOptions): void {
  checkNumbers(options);
  checkNumber("pingInterval", options.pingInterval, MAX_TIMEOUT);
  checkNumber("pingTimeout", options.pingTimeout, MAX_TIMEOUT);
  const { maxMessageSize = 1 } = options;
  if (!(maxMessageSize >= 1)) {
    throw new RangeError(
      `Cannot use the option maxMessageSize: it must be 1 or more, got ${maxMessageSize}`,
    );
  }
  if (typeof options.compression === "object") checkCompressionOptions(options.compression);
}
