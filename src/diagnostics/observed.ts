import { checkField, isReservedHeader } from "../handshake/request_fields.ts";
import type { HeaderMap } from "../handshake/header_map.ts";
import { CONTINUATION, TEXT } from "../protocol/frame.ts";
import type { Fragment } from "../protocol/protocol_events.ts";
import { nameOf } from "../realm/kinds.ts";
import type { ConnectionInfo } from "../web_socket/connection_info.ts";
import type { Clock } from "../web_socket/clock.ts";
import type { CloseInfo } from "../web_socket/close_info.ts";
import type { ConnectRequest } from "../web_socket/connect_request.ts";
import type {
  ConnectionEvents,
  Direction,
  ObservedRequest,
} from "../web_socket/connection_events.ts";
import { ConnectError, WebSocketChannelError } from "../web_socket/errors.ts";
import { ProtocolTransport } from "../web_socket/protocol_transport.ts";
import { shownUrl } from "../web_socket/shown_url.ts";
import type { ChannelState, Message } from "../web_socket/web_socket_channel.ts";
import type { MessageInput, SendOptions } from "../web_socket/web_socket_sink.ts";
import type { PreparedMessage } from "../protocol/prepared_message.ts";
import type { DiagnosedConnection } from "./diagnostics.ts";
import { hasSubscribers, isObserved, publish } from "./topics.ts";
import { byteLengthOf } from "../realm/bytes.ts";

/** The header fields that carry a trace. No other is shown: it may hold a secret. */
const TRACE_FIELD =
  /^(?:traceparent|tracestate|baggage|b3|x-b3-[\w-]+|sentry-trace|uber-trace-id|x-amzn-trace-id|x-cloud-trace-context|x-request-id)$/;

let lastId = 0;

/** Publishes what becomes of a connection. */
class Observer implements ConnectionEvents {
  readonly protocolTransport: typeof ProtocolTransport = ObservedTransport;
  readonly connection: DiagnosedConnection;
  /** What subscribers have added of header fields, or a server's request has. */
  readonly trace: Record<string, string>;
  readonly #clock: Clock;
  #since: number;
  #isRefused = false;
  #hasEnded = false;

  constructor(
    known: Omit<DiagnosedConnection, "id">,
    trace: Record<string, string>,
    clock: Clock,
  ) {
    this.connection = { id: ++lastId, ...known };
    this.trace = trace;
    this.#clock = clock;
    this.#since = clock.now();
    if (hasSubscribers("connect")) publish("connect", { connection: this.connection, trace });
  }

  /** How long it has been so, in milliseconds. */
  #elapsed(): number {
    const now = this.#clock.now();
    const duration = now - this.#since;
    this.#since = now;
    return duration;
  }

  onOpen(extensions: string, info: ConnectionInfo | null): void {
    const { connection } = this;
    const duration = this.#elapsed();
    if (!hasSubscribers("open")) return;
    const { remoteAddress = null, remotePort = null } = info ?? {};
    const isCompressed = extensions !== "";
    publish("open", { connection, duration, isCompressed, remoteAddress, remotePort });
  }

  onMessage(direction: Direction, message: string | Uint8Array): void {
    if (!hasSubscribers("message")) return;
    const isText = typeof message === "string";
    const size = isText ? utf8Length(message) : byteLengthOf(message) ?? 0;
    this.onWhole(direction, isText ? "text" : "binary", size);
  }

  onWhole(direction: Direction, kind: "text" | "binary", size: number): void {
    if (this.#hasEnded || !hasSubscribers("message")) return;
    publish("message", { connection: this.connection, direction, kind, size });
  }

  onRefused(status: number, reason: string | null): void {
    if (this.#isRefused) return;
    this.#isRefused = true;
    if (!hasSubscribers("refused")) return;
    publish("refused", { connection: this.connection, status, reason, duration: this.#elapsed() });
  }

  onEnd(before: ChannelState, { code, wasClean, initiator, error }: CloseInfo): void {
    this.#hasEnded = true;
    if (before !== "connecting") {
      if (error !== undefined) this.#publishError(error, true);
      if (!hasSubscribers("close")) return;
      const { connection } = this;
      const duration = this.#elapsed();
      return publish("close", { connection, code, wasClean, initiator, duration });
    }
    const { side } = this.connection;
    const status = error instanceof ConnectError ? error.status : null;
    // What a server answers follows, with its reason, unless the client is gone.
    if (side === "server" && (status !== null || !(error instanceof ConnectError))) return;
    if (status === null || status === 101) this.#publishError(error, false);
    else this.onRefused(status, null);
  }

  #publishError(error: unknown, wasOpen: boolean): void {
    if (!hasSubscribers("error")) return;
    publish("error", {
      connection: this.connection,
      name: nameOf(error) || "Error",
      message: error instanceof WebSocketChannelError ? error.message : "",
      wasOpen,
      phase: error instanceof ConnectError ? error.phase : null,
    });
  }
}

/** Our own protocol's transport of a connection that is observed: others have no cost for this. */
class ObservedTransport extends ProtocolTransport {
  readonly #events: ConnectionEvents | null;
  readonly #isServer: boolean;
  // Messages in parts: one at a time each way.
  #receivedKind: "text" | "binary" = "text";
  #receivedSize = 0;
  #sentKind: "text" | "binary" = "text";
  #sentSize = 0;

  constructor(...args: ConstructorParameters<typeof ProtocolTransport>) {
    super(...args);
    const [core, , { side }] = args;
    this.#events = core.observer;
    this.#isServer = side === "server";
  }

  override onMessage(message: Message): void {
    this.#events?.onMessage("received", message);
    super.onMessage(message);
  }

  override onLargeMessage(kind: "text" | "binary"): void {
    this.#receivedKind = kind;
    this.#receivedSize = 0;
    super.onLargeMessage(kind);
  }

  override onPart(part: string | Uint8Array, size: number): void {
    this.#receivedSize = size;
    super.onPart(part, size);
  }

  override onLargeEnd(): void {
    this.#events?.onWhole("received", this.#receivedKind, this.#receivedSize);
    super.onLargeEnd();
  }

  override sendFragment(payload: Uint8Array, fragment: Fragment): boolean {
    const isSent = super.sendFragment(payload, fragment);
    if (!isSent) return false;
    if (fragment.opcode !== CONTINUATION) {
      this.#sentKind = fragment.opcode === TEXT ? "text" : "binary";
      this.#sentSize = 0;
    }
    this.#sentSize += payload.length;
    if (fragment.fin) this.#events?.onWhole("sent", this.#sentKind, this.#sentSize);
    return true;
  }

  override send(message: MessageInput, options: SendOptions | undefined): boolean {
    const isSent = super.send(message, options);
    if (isSent) this.#events?.onMessage("sent", message as string | Uint8Array);
    return isSent;
  }

  override sendPrepared(
    message: PreparedMessage,
    options: SendOptions | undefined,
    isOnly: boolean,
  ): boolean {
    const isSent = super.sendPrepared(message, options, isOnly);
    // A client's channel got here by `send`.
    if (isSent && this.#isServer) {
      this.#events?.onMessage("sent", message.content as string | Uint8Array);
    }
    return isSent;
  }
}

/** The length of a text as UTF-8, in bytes. */
function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    // Each half of a pair is two of its four bytes; a lone one is sent as U+FFFD.
    const isPair = code >= 0xd800 && code < 0xdc00 &&
      (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
    length += isPair ? 2 : code < 0x800 ? 1 : 2;
    if (isPair) i++;
  }
  return length;
}

/**
 * A client begins to connect.
 *
 * @param request What it asks for.
 * @param transport What carries it.
 * @param clock Where times come from.
 * @param takesHeaders Whether header fields can be sent.
 */
export function observeRequest(
  request: ConnectRequest,
  transport: DiagnosedConnection["transport"],
  clock: Clock,
  takesHeaders = true,
): ObservedRequest {
  if (!isObserved()) return { request, observer: null };
  const url = shownUrl(request.url);
  const trace: Record<string, string> = {};
  const observer = new Observer({ side: "client", transport, url }, trace, clock);
  if (!takesHeaders) return { request, observer };
  const taken = new Set(request.headers.map(([name]) => name.toLowerCase()));
  const added = Object.keys(trace).flatMap((name) =>
    taken.has(name.toLowerCase()) ? [] : sendable(trace, name)
  );
  if (added.length === 0) return { request, observer };
  return { request: { ...request, headers: [...request.headers, ...added] }, observer };
}

/** The field that a subscriber has added, unless it can't be sent. */
function sendable(trace: Readonly<Record<string, string>>, name: string): [string, string][] {
  try {
    const value = trace[name] as string;
    checkField(name, value);
    const isOwn = isReservedHeader(name) || /^(?:host|origin|proxy-authorization)$/i.test(name);
    return isOwn ? [] : [[name, value]];
  } catch {
    return [];
  }
}

/** What is known of a connection that isn't a client's attempt. */
export interface ObservedPeer extends Omit<DiagnosedConnection, "id" | "url"> {
  readonly url: () => string;
  /** The request's header fields, on a server. */
  readonly headers?: HeaderMap;
}

/**
 * A request has come to a server, or a channel is made over something that is connected.
 *
 * @param known What is known of it.
 * @param clock Where times come from.
 * @returns `null` when nothing subscribes.
 */
export function observePeer(
  { side, transport, url, headers }: ObservedPeer,
  clock: Clock,
): ConnectionEvents | null {
  if (!isObserved()) return null;
  const trace: Record<string, string> = {};
  for (const [name, value] of headers ?? []) {
    if (!TRACE_FIELD.test(name)) continue;
    trace[name] = name in trace ? `${trace[name]}, ${value}` : value;
  }
  return new Observer({ side, transport, url: url() }, trace, clock);
}
