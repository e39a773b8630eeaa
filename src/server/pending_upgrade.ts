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

/** RFC 6455 §4.1: a client sends nothing before it has the answer. A few bytes are kept nevertheless. */
const MAX_EARLY = 0x1_0000;

/** How long the peer may take to see a refusal before the socket is destroyed, in milliseconds. */
export const LINGER = 1_000;

/** Gets the events of a {@linkcode PendingUpgrade}. */
export interface PendingEvents {
  /** The client is gone, or not worth waiting for. The socket is destroyed. */
  onGone(cause: unknown): void;
}

/** What a {@linkcode PendingUpgrade} needs. */
export interface PendingOptions {
  /** What is called back. */
  readonly events: PendingEvents;
  /** Where times come from. */
  readonly clock: Clock;
  /** How the request is answered; left out: with HTTP/1.1. */
  readonly answering?: Answering;
  /** How long a refusal may wait for earlier answers, from the request on, in milliseconds; 0: no limit. */
  readonly handshakeTimeout: number;
}

/** How a request is answered. */
export interface Answering {
  /** Accepts: see {@linkcode acceptSocket}. */
  accept(socket: UpgradeSocket, acceptance: Acceptance, early: Uint8Array | null): Wire;
  /** Refuses: see {@linkcode refuseSocket}. */
  refuse(socket: UpgradeSocket, refusal: Refusal, clock: Clock): void;
}

/** Whether a connection may be accepted at once: it hasn't ended, and owes no earlier answers. */
export function isFree(socket: UpgradeSocket): boolean {
  return !socket.destroyed && !owesAnswers(socket);
}

/**
 * Accepts an upgrade.
 *
 * @param socket The connection, which is {@linkcode isFree}.
 * @param acceptance What to answer.
 * @param early What came behind the request.
 * @returns The connection, on which frames follow; what came early is to be read first.
 */
export function acceptSocket(
  socket: UpgradeSocket,
  acceptance: Acceptance,
  early: Uint8Array | null,
): SocketWire {
  const wire = new SocketWire(socket);
  if (early !== null && lengthOf(early) > 0) socket.unshift(copyOf(early));
  // Through the wire, which notices when that, and all that went before, has left.
  wire.writeHead(serializeAcceptance(acceptance));
  return wire;
}

/** A connection whose request has arrived and is not answered yet. */
export class PendingUpgrade {
  readonly #socket: UpgradeSocket;
  readonly #options: PendingOptions;
  #early: Uint8Array[] | null;
  #earlySize: number;
  #error: unknown;
  #earlier: EarlierAnswers | null = null;
  /** What follows when all earlier requests are answered. */
  #next: (() => void) | null = null;
  #answered = false;
  /** When the handshake must be done. */
  #until = Infinity;
  /** Bounds a refusal that waits for earlier answers. */
  #deadline: Deadline | null = null;
  /** What is listened to while the answer takes time. */
  #listeners: Readonly<Record<string, (value: unknown) => void>> | null = null;

  /**
   * Takes the socket over. Answer in this very call, or {@linkcode wait}.
   *
   * @param socket The connection.
   * @param head What came behind the request; it is copied.
   * @param options See {@linkcode PendingOptions}.
   */
  constructor(socket: UpgradeSocket, head: Uint8Array, options: PendingOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#earlySize = lengthOf(head);
    this.#early = this.#earlySize > 0 ? [copyOf(head)] : null;
  }

  /** Whether the connection may be accepted at once: it hasn't ended, and owes no earlier answers. */
  get isFree(): boolean {
    return !this.isOver && isFree(this.#socket);
  }

  /** Whether there is nothing left to answer: it was answered, or the connection has ended. Waiting callers are notified. */
  get isOver(): boolean {
    return this.#answered || this.#socket.destroyed;
  }

  /** The answer takes time: what the client does meanwhile is noticed. */
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

  /** Whether requests in front of the upgrade aren't answered yet. */
  get isBehind(): boolean {
    return this.#earlier !== null;
  }

  /** Calls back when all requests in front of the upgrade are answered; call it while they aren't. */
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
   * Accepts.
   *
   * @param acceptance What to answer.
   * @returns The connection, on which frames follow; what came early is to be read first.
   */
  accept(acceptance: Acceptance): Wire {
    const socket = this.#socket;
    const listeners = this.#listeners;
    this.#release();
    // As one chunk: where it is delivered at once, and not kept, several would come in reverse.
    const early = this.#early === null ? null : joined(this.#early, this.#earlySize);
    this.#early = null;
    // It listens to errors itself, so that nothing of this object is left on the socket.
    const { answering = UPGRADING } = this.#options;
    const wire = answering.accept(socket, acceptance, early);
    if (listeners !== null) socket.removeListener("error", listeners.error as () => void);
    return wire;
  }

  /**
   * Refuses, behind the answers to earlier requests, and ends the connection, or what a proxy takes for
   * frames would be read as a second request.
   *
   * @param refusal What to answer.
   */
  refuse(refusal: Refusal): void {
    if (this.#answered) return;
    const isBehind = this.#earlier !== null || owesAnswers(this.#socket);
    if (isBehind) return this.#refuseLater(refusal);
    this.#release();
    const { answering = UPGRADING, clock } = this.#options;
    answering.refuse(this.#socket, refusal, clock);
  }

  /** An earlier answer may never end: the refusal waits no longer than the handshake may take. */
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
      // A socket without such a listener ends the process when its peer is gone.
      if (event !== "error") this.#socket.removeListener(event, listener);
    }
    this.#listeners = null;
  }
}

/**
 * Answers with a refusal and ends the connection. The peer gets a moment to read it: a socket that
 * is destroyed with unread bytes in it resets the connection, and the answer is lost.
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

/** RFC 6455 §4.2.2: with the status 101 of HTTP/1.1. */
export const UPGRADING: Answering = { accept: acceptSocket, refuse: refuseSocket };
