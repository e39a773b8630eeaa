import {
  type Acceptance,
  type Refusal,
  serializeAcceptance,
  serializeRefusal,
} from "../handshake/server_handshake.ts";
import { joined } from "../protocol/byte_queue.ts";
import { copyOf, lengthOf } from "../realm/bytes.ts";
import { ignore } from "../stream_channel/errors.ts";
import type { Clock } from "../web_socket/clock.ts";
import { Deadline } from "../web_socket/deadline.ts";
import { SocketWire } from "../net/socket_wire.ts";
import type { Wire } from "../web_socket/wire.ts";
import { EarlierAnswers, owesAnswers } from "./earlier_answers.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";

/**
 * How many bytes to keep that a client sends before the answer. RFC 6455 §4.1 doesn't allow it to send any, but a few
 * are accepted.
 */
const MAX_EARLY = 0x1_0000;

/** How long the peer may take to read a refusal before the socket is destroyed, in milliseconds. */
export const LINGER = 1_000;

/** The events of a {@linkcode PendingUpgrade}. */
export interface PendingEvents {
  /** Called when the client has left or has sent too much. The socket is then destroyed. */
  onGone(cause: unknown): void;
}

/** Options of a {@linkcode PendingUpgrade}. */
export interface PendingOptions {
  /** The receiver of its events. */
  readonly events: PendingEvents;
  /** The clock for its timeouts. */
  readonly clock: Clock;
  /** How to answer the request. Default: with HTTP/1.1. */
  readonly answering?: Answering;
  /** How long after the request a refusal may wait for earlier answers, in milliseconds; 0: no limit. */
  readonly handshakeTimeout: number;
}

/** The way to answer a request: HTTP/1.1 or an HTTP/2 stream. */
export interface Answering {
  /** Accepts an upgrade, as {@linkcode acceptSocket} does. */
  accept(socket: UpgradeSocket, acceptance: Acceptance, early: Uint8Array | null): Wire;
  /** Refuses an upgrade, as {@linkcode refuseSocket} does. */
  refuse(socket: UpgradeSocket, refusal: Refusal, clock: Clock): void;
}

/** Whether a connection can be accepted now: it hasn't ended, and all earlier requests are answered. */
export function isFree(socket: UpgradeSocket): boolean {
  return !socket.destroyed && !owesAnswers(socket);
}

/**
 * Accepts an upgrade over HTTP/1.1.
 *
 * @param socket The connection, which is {@linkcode isFree}.
 * @param acceptance The answer.
 * @param early What the client sent after the request.
 * @returns The wire for frames; it delivers the early bytes first.
 */
export function acceptSocket(
  socket: UpgradeSocket,
  acceptance: Acceptance,
  early: Uint8Array | null,
): SocketWire {
  const wire = new SocketWire(socket);
  if (early !== null && lengthOf(early) > 0) socket.unshift(copyOf(early));
  // The wire writes it, since the wire tracks what the socket has sent.
  wire.writeHead(serializeAcceptance(acceptance));
  return wire;
}

/** A connection whose upgrade request is not answered yet. */
export class PendingUpgrade {
  readonly #socket: UpgradeSocket;
  readonly #options: PendingOptions;
  #early: Uint8Array[] | null;
  #earlySize: number;
  #error: unknown;
  #earlier: EarlierAnswers | null = null;
  /** Called when all earlier requests are answered. */
  #next: (() => void) | null = null;
  #answered = false;
  /** The time by which the handshake must be complete. */
  #until = Infinity;
  /** Limits how long a refusal waits for earlier answers. */
  #deadline: Deadline | null = null;
  /** The listeners on the socket while the answer is pending. */
  #listeners: Readonly<Record<string, (value: unknown) => void>> | null = null;

  /**
   * Takes over the socket. Answer in the same turn, or call {@linkcode wait}.
   *
   * @param socket The connection.
   * @param head What the client sent after the request; it is copied.
   * @param options See {@linkcode PendingOptions}.
   */
  constructor(socket: UpgradeSocket, head: Uint8Array, options: PendingOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#earlySize = lengthOf(head);
    this.#early = this.#earlySize > 0 ? [copyOf(head)] : null;
  }

  /** Whether the connection can be accepted now: it hasn't ended, and all earlier requests are answered. */
  get isFree(): boolean {
    return !this.isOver && isFree(this.#socket);
  }

  /** Whether there is nothing left to answer: the request was answered, or the connection has ended. */
  get isOver(): boolean {
    return this.#answered || this.#socket.destroyed;
  }

  /** Prepares for an answer in a later turn: keeps what the client sends until then, and notices when it leaves. */
  wait(): void {
    const socket = this.#socket;
    const { clock, handshakeTimeout } = this.#options;
    if (handshakeTimeout !== 0) this.#until = clock.now() + handshakeTimeout;
    const onEnd = (): void => this.#gone();
    this.#listeners = {
      error: (error) => void (this.#error ??= error),
      data: (chunk) => this.#keep(chunk as Uint8Array),
      end: onEnd,
      close: onEnd,
    };
    for (const [event, listener] of Object.entries(this.#listeners)) socket.on(event, listener);
    if (this.#earlySize > MAX_EARLY || socket.destroyed) queueMicrotask(onEnd);
    if (owesAnswers(socket)) this.#earlier = new EarlierAnswers(socket, () => this.#free());
  }

  /** Whether earlier requests aren't answered yet. */
  get isBehind(): boolean {
    return this.#earlier !== null;
  }

  /** Sets the callback for when all earlier requests are answered. Call it only while {@linkcode isBehind}. */
  whenFree(callback: () => void): void {
    this.#next = callback;
  }

  #free(): void {
    this.#earlier = null;
    // An earlier answer may have been the connection's last.
    if ((this.#socket as { writableEnded?: boolean }).writableEnded === true) return this.#gone();
    this.#next?.();
  }

  #keep(chunk: Uint8Array): void {
    (this.#early ??= []).push(chunk);
    this.#earlySize += chunk.length;
    if (this.#earlySize > MAX_EARLY) this.#gone();
  }

  #gone(): void {
    if (this.#answered) return;
    this.#drop();
    this.#options.events.onGone(this.#error);
  }

  /**
   * Accepts the upgrade.
   *
   * @param acceptance The answer.
   * @returns The wire for frames; it delivers the early bytes first.
   */
  accept(acceptance: Acceptance): Wire {
    const socket = this.#socket;
    const listeners = this.#listeners;
    this.#release();
    // As one chunk: several could be delivered in reverse order.
    const early = this.#early === null ? null : joined(this.#early, this.#earlySize);
    this.#early = null;
    // The wire has its own `error` listener, so this object's can be removed.
    const { answering = UPGRADING } = this.#options;
    const wire = answering.accept(socket, acceptance, early);
    if (listeners !== null) socket.removeListener("error", listeners.error as () => void);
    return wire;
  }

  /**
   * Refuses the upgrade after the answers to earlier requests, and ends the connection. Otherwise the server would read
   * bytes that a proxy takes for frames as a second request.
   *
   * @param refusal The answer.
   */
  refuse(refusal: Refusal): void {
    if (this.#answered) return;
    const isBehind = this.#earlier !== null || owesAnswers(this.#socket);
    if (isBehind) return this.#refuseLater(refusal);
    this.#release();
    const { answering = UPGRADING, clock } = this.#options;
    answering.refuse(this.#socket, refusal, clock);
  }

  /**
   * Delays a refusal until earlier answers are complete, but only until the handshake's timeout: an answer may never
   * end.
   */
  #refuseLater(refusal: Refusal): void {
    if (this.#listeners === null) this.wait();
    const { clock } = this.#options;
    const left = this.#until - clock.now();
    if (left <= 0) return this.#drop();
    this.whenFree(() => this.refuse(refusal));
    if (left === Infinity) return;
    this.#deadline = new Deadline(clock, { ms: left, onTime: () => this.#drop() });
  }

  #drop(): void {
    this.#release();
    this.#socket.destroy();
  }

  #release(): void {
    this.#answered = true;
    this.#deadline?.clear();
    this.#deadline = null;
    this.#earlier?.stop();
    this.#earlier = null;
    for (const [event, listener] of Object.entries(this.#listeners ?? {})) {
      // Without an `error` listener, a reset connection would end the process.
      if (event !== "error") this.#socket.removeListener(event, listener);
    }
    this.#listeners = null;
  }
}

/**
 * Answers with a refusal, and ends the connection. The peer gets up to `LINGER` to read the answer: destroying a socket
 * with unread bytes resets the connection, and the answer is lost.
 */
export function refuseSocket(socket: UpgradeSocket, refusal: Refusal, clock: Clock): void {
  const destroy = (): void => void socket.destroy();
  const deadline = new Deadline(clock, { ms: LINGER, onTime: destroy });
  socket.on("error", ignore);
  socket.on("data", ignore);
  socket.on("end", destroy);
  socket.on("close", () => deadline.clear());
  socket.resume();
  socket.write(serializeRefusal(refusal));
  socket.end();
  if (socket.destroyed) deadline.clear();
}

/** Answers with status 101 of HTTP/1.1 (RFC 6455 §4.2.2). */
export const UPGRADING: Answering = { accept: acceptSocket, refuse: refuseSocket };
