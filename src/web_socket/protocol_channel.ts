import type { HandshakeAgreement } from "../handshake/client_handshake.ts";
import type { CompressionOptions } from "../permessage_deflate/deflate_parameters.ts";
import type { Side } from "../protocol/frame.ts";
import type { PreparedMessage } from "../protocol/prepared_message.ts";
import { Protocol } from "../protocol/protocol.ts";
import { closeQuietly } from "../stream_channel/channel_like.ts";
import { Deferred } from "../stream_channel/deferred.ts";
import { loopGuard } from "../stream_channel/loop_guard.ts";
import { internalServerError } from "../../status.ts";
import type { ByteTransport, TransportFailure } from "./byte_transport.ts";
import { type Capabilities, NO_CAPABILITIES } from "./capabilities.ts";
import { ClientOpening } from "./client_opening.ts";
import type { Clock } from "./clock.ts";
import { Deadline } from "./deadline.ts";
import type { Ending } from "./closing.ts";
import {
  type ConnectDeadlineOptions,
  type ConnectRequest,
  DEFAULT_CLOSE_TIMEOUT,
} from "./connect_options.ts";
import { createMessageDeflate, negotiableCompression } from "../permessage_deflate/deflate.ts";
import {
  type ConnectError,
  type HandshakeResponse,
  ProtocolError,
  WebSocketChannelError,
} from "./errors.ts";
import { randomMaskingKeys } from "./masking_keys.ts";
import { type ConnectionOwner, ProtocolConnection } from "./protocol_connection.ts";
import { DEFAULT_MAX_MESSAGE_SIZE, type ProtocolOptions } from "./protocol_options.ts";
import { shownUrl } from "./shown_url.ts";
import { turns } from "./turns.ts";
import type { CloseFrameContent } from "./close_info.ts";
import { WebSocketChannelBase } from "./web_socket_channel_base.ts";
import type { MessageInput, SendOptions } from "./web_socket_sink.ts";

/** What this channel's opening handshake still has to do. */
export interface OpeningRequest {
  readonly request: ConnectRequest;
  readonly origin?: string | undefined;
}

const CAPABILITIES: Capabilities = Object.freeze({
  ...NO_CAPABILITIES,
  ping: true,
  inboundBackpressure: true,
  messageLimit: true,
  compressionOptions: true,
  allCloseCodes: true,
});

/** The same for all of a server's connections: an object of its own for each takes 400 bytes. */
const DESTROYABLE: Capabilities = Object.freeze({ ...CAPABILITIES, "terminate": true });

/** Of whoever does the opening handshake. */
const WITH_HANDSHAKE: Capabilities = Object.freeze({
  ...CAPABILITIES,
  headers: true,
  handshakeResponse: true,
});

const WITH_HANDSHAKE_DESTROYABLE: Capabilities = Object.freeze({
  ...WITH_HANDSHAKE,
  terminate: true,
});

/** Our own implementation of RFC 6455, over any channel of bytes, on either side. */
export class ProtocolChannel extends WebSocketChannelBase implements ConnectionOwner {
  readonly #side: Side;
  readonly #options: ProtocolOptions;
  /** What was asked for, where this side did. */
  #url: URL | null = null;
  #capabilities: Capabilities = CAPABILITIES;
  #connection: ProtocolConnection | null = null;
  /** Bounds what may never come: a refusal's body, the end of a transport whose sink is over. */
  #deadline: Deadline | null = null;

  /**
   * Makes a channel that is connecting.
   *
   * @param side Which end it is.
   * @param options See {@linkcode ProtocolOptions}.
   * @param clock Where times come from.
   */
  constructor(side: Side, options: ProtocolOptions, clock: Clock) {
    super(options, clock);
    this.#side = side;
    this.#options = options;
  }

  protected get errorCode(): number {
    return internalServerError;
  }

  protected get transport(): string {
    return "bytes";
  }

  get url(): string {
    return this.#url === null ? "" : shownUrl(this.#url);
  }

  get capabilities(): Capabilities {
    return this.#capabilities;
  }

  override get latency(): number | null {
    return this.#connection?.latency ?? null;
  }

  protected override sendPing(): Promise<number> {
    if (this.state === "open" && this.#connection !== null) return this.#connection.ping();
    const answer = new Deferred<number>();
    if (this.state === "connecting") {
      this.ready.then(() => this.sendPing()).then(answer.resolve, answer.reject);
    } else answer.reject(new WebSocketChannelError(`Cannot ping: the channel is ${this.state}`));
    return answer.promise;
  }

  override ref(): void {
    this.#connection?.bytes.ref();
  }

  override unref(): void {
    this.#connection?.bytes.unref();
  }

  // The beginning. A subclass, or whoever made the channel, calls one of these.

  /** Bounds the attempt. See {@linkcode WebSocketChannelBase}. */
  bound(options: ConnectDeadlineOptions, phase: () => string): void {
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
    this.#agree(this.#connect(transport), agreement, response);
  }

  /** Does the client's opening handshake over a transport, then speaks over it. */
  beginWithHandshake(transport: ByteTransport, { request, origin }: OpeningRequest): void {
    this.#url = request.url;
    if (this.state === "closed") return discard(transport);
    const compression = this.#compression();
    const opening = new ClientOpening(request, {
      origin,
      compression: compression && negotiableCompression(compression, this.#side),
    }, {
      onAgreed: (agreement, response, rest) => {
        this.#agree(connection, agreement, response);
        // RFC 6455 §4.1: frames may come right behind the answer.
        if (rest.length > 0) connection.onChunk(rest);
      },
      onFailed: (error) => this.#onRefused(error),
      onRefusing: (status) => {
        if (this.wantsBody(status)) this.#setDeadline(() => opening.end());
        else opening.end();
      },
    });
    this.#capabilities = WITH_HANDSHAKE;
    const connection = this.#connect(transport);
    connection.open(opening);
  }

  #connect(transport: ByteTransport): ProtocolConnection {
    const connection = new ProtocolConnection(this, transport);
    if (connection.bytes.canDestroy) {
      this.#capabilities = this.#capabilities === CAPABILITIES
        ? DESTROYABLE
        : WITH_HANDSHAKE_DESTROYABLE;
    }
    return this.#connection = connection;
  }

  #compression(): CompressionOptions | null {
    const { compression = false } = this.#options;
    return typeof compression === "object" ? compression : compression ? {} : null;
  }

  #agree(
    connection: ProtocolConnection,
    { protocol, extensions, deflate, compression = this.#compression() }: HandshakeAgreement,
    response: HandshakeResponse | null,
  ): void {
    const compressor = deflate === null
      ? null
      : createMessageDeflate(deflate, this.#side, { ...compression, turns });
    connection.speak(
      new Protocol({
        side: this.#side,
        maskingKeys: randomMaskingKeys,
        maxMessageSize: this.#options.maxMessageSize ?? DEFAULT_MAX_MESSAGE_SIZE,
        ownsChunks: connection.bytes.ownsChunks,
        recycles: connection.bytes.releasesChunks,
        deflate: compressor ?? undefined,
        budget: connection.turns.budget,
      }, connection),
    );
    this.open({ protocol, extensions, response });
    const { pingInterval = 0, pingTimeout = pingInterval } = this.#options;
    if (pingInterval > 0 && this.state === "open") {
      connection.keepAlive({ pingInterval, pingTimeout });
    }
  }

  #onRefused(error: ConnectError): void {
    this.#clearDeadline();
    this.#connection?.bytes.destroy();
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

  #setDeadline(onTime: () => void): void {
    this.#clearDeadline();
    const ms = this.#options.closeTimeout ?? DEFAULT_CLOSE_TIMEOUT;
    this.#deadline = new Deadline(this.clock, { ms, onTime });
  }

  #clearDeadline(): void {
    this.#deadline?.clear();
    this.#deadline = null;
  }

  // What the connection tells.

  onEarlyEnding(conclude: () => void): void {
    loopGuard.afterLoops(conclude);
  }

  onClose(code: number, reason: string): void {
    this.#connection?.stopPings();
    this.peerClosed({ code, reason }, this.#connection?.sentClose);
    // RFC 6455 §7.1.1: the server ends TCP first, the client waits for that (and not for ever).
    if (this.#side === "server") void this.#finish({ wasClean: true, initiator: "remote" });
  }

  onFailure(code: number, reason: string): void {
    this.#connection?.stopPings();
    this.failConnection(
      new ProtocolError(`The peer broke the protocol: ${reason}`, code),
      this.#connection?.sentClose,
    );
    void this.#finish({ wasClean: false, initiator: "protocol-error" });
  }

  /** Ends the transport behind what is written, then the channel; the close timer bounds it. */
  async #finish(ending: Ending): Promise<void> {
    await this.#connection?.finish();
    this.end(ending);
  }

  onOver(): void {
    const connection = this.#connection;
    if (connection === null || !connection.isSpeaking) return;
    connection.drain();
    // Where only the sink is broken the stream may never end.
    this.#setDeadline(() => connection.onEnd(connection.bytes.failure));
  }

  onEnd(failure: TransportFailure | null): void {
    this.#clearDeadline();
    const connection = this.#connection;
    if (connection === null) return;
    if (connection.opening !== null) return connection.opening.end(failure?.error);
    connection.end();
    if (connection.isClosed) return void this.#finish({ wasClean: true, initiator: "remote" });
    const message = "The connection was lost: it ended without a Close frame";
    const cause = failure === null ? undefined : { cause: failure.error };
    const error = new WebSocketChannelError(message, cause);
    const ending: Ending = { wasClean: false, initiator: "transport", error };
    // What this end has begun to send, its Close above all, still goes out.
    if (this.state === "closing") return void this.#finish(ending);
    connection.bytes.destroy();
    this.end(ending);
  }

  onDead(): void {
    const message = "The connection was lost: no sign of life came in time after a ping";
    this.destroyTransport();
    this.end({
      wasClean: false,
      initiator: "timeout",
      error: new DOMException(message, "TimeoutError"),
    });
  }

  // What the channel asks for.

  override sendShared(message: PreparedMessage, options?: SendOptions): boolean {
    if (this.#side === "client") return super.sendShared(message, options);
    return this.#connection?.sendPrepared(message, options) ?? false;
  }

  sendMessage(message: MessageInput, options: SendOptions | undefined): boolean {
    return this.#connection?.send(message, options) ?? false;
  }

  transportAmount(): number {
    return this.#connection === null ? 0 : this.#connection.amount;
  }

  override transportLoad(): number {
    return this.#connection === null ? 0 : this.#connection.wireAmount;
  }

  protected override hasSentClose(): boolean {
    return this.#connection?.hasSentClose ?? false;
  }

  override watchTransport(): void {
    this.#connection?.watch();
  }

  protected startClosing(
    code: number | undefined,
    reason: string,
  ): CloseFrameContent | undefined {
    this.#connection?.close(code, code === undefined ? undefined : reason);
    return this.#connection?.sentClose;
  }

  protected destroyTransport(): void {
    this.#clearDeadline();
    this.#connection?.destroy();
  }

  override pauseTransport(): void {
    if (this.state === "open") this.#connection?.pause();
  }

  override resumeTransport(): void {
    this.#connection?.resume();
  }
}

function discard(transport: ByteTransport): void {
  if (transport.destroy !== undefined) return transport.destroy();
  closeQuietly(transport.sink);
}
