/** The server's half of RFC 6455, by hand, and as rude as told. */

import { Buffer } from "node:buffer";
import { type ClientFrame, ClientFrames, opcodes, rawClose, rawFrame } from "./raw_frames.ts";
import type { RecipeConnection } from "./recipe_connection.ts";
import type { RequestEvent } from "./recipe_events.ts";

/** What becomes of a client's Close frame. */
export type CloseAnswer =
  /** It is answered, then TCP is ended. */
  | "end"
  /** It is answered, TCP stays open. */
  | "keep-tcp"
  /** It isn't answered. */
  | "ignore";

/** How a peer behaves by itself. */
export interface Manners {
  /** Whether messages are sent back. */
  echo?: boolean;
  /** Whether a Ping gets its Pong. */
  pong?: boolean;
  /** What a Close gets; "end" if left out. */
  close?: CloseAnswer;
  /** Called with each whole message, before it is sent back. */
  onMessage?: (peer: RawPeer, opcode: number, payload: Buffer) => void;
  /** Called with each Close, before it is answered. */
  onClose?: (peer: RawPeer) => void;
}

/** Reads a client's frames after the 101, reports them, and answers them as it is told. */
export class RawPeer {
  readonly connection: RecipeConnection;
  readonly #manners: Manners;
  readonly #frames = new ClientFrames();
  readonly #fragments: Buffer[] = [];
  #opcode = 0;
  #isClosed = false;
  #onFirst: (() => void) | undefined;
  #hasMessage = false;

  constructor(connection: RecipeConnection, manners: Manners) {
    this.connection = connection;
    this.#manners = manners;
    connection.endsWithClient = (manners.close ?? "end") === "end";
    connection.socket.once("close", () => {
      if (!this.#isClosed) connection.host.report({ kind: "close", code: 1006, reason: "" });
    });
    connection.onBytes((bytes) => {
      for (const frame of this.#frames.push(bytes)) this.#receive(frame);
    });
  }

  /** Sends an unmasked frame; fulfils when the operating system has taken it. */
  send(frame: Uint8Array): Promise<void> {
    return this.connection.write(frame);
  }

  /** Fulfils with the client's first message. */
  firstMessage(): Promise<void> {
    if (this.#hasMessage) return Promise.resolve();
    return new Promise((resolve) => this.#onFirst = resolve);
  }

  #receive(frame: ClientFrame): void {
    const { host } = this.connection;
    const fault = faultOf(frame, this.#opcode !== 0, this.#isClosed);
    if (fault !== undefined) host.report({ kind: "fault", message: fault });
    const payload = frame.payload.toString("hex");
    if (frame.opcode === opcodes.close) this.#receiveClose(frame.payload);
    else if (frame.opcode === opcodes.pong) host.report({ kind: "pong", payload });
    else if (frame.opcode === opcodes.ping) {
      host.report({ kind: "ping", payload });
      if (this.#manners.pong !== false) this.send(rawFrame(opcodes.pong, frame.payload));
    } else this.#receiveFragment(frame);
  }

  #receiveFragment(frame: ClientFrame): void {
    if (frame.opcode !== opcodes.continuation) this.#opcode = frame.opcode;
    this.#fragments.push(frame.payload);
    if (!frame.fin) return;
    const opcode = this.#opcode;
    const payload = Buffer.concat(this.#fragments.splice(0));
    this.#opcode = 0;
    this.connection.host.report(
      opcode === opcodes.text
        ? { kind: "message", text: payload.toString() }
        : { kind: "message", binary: payload.toString("hex") },
    );
    this.#hasMessage = true;
    this.#onFirst?.();
    this.#manners.onMessage?.(this, opcode, payload);
    if (this.#manners.echo === true) this.send(rawFrame(opcode, payload));
  }

  #receiveClose(payload: Buffer): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const code = payload.length < 2 ? 1005 : payload.readUInt16BE();
    const reason = payload.subarray(2).toString();
    this.connection.host.report({ kind: "close", code, reason });
    this.#manners.onClose?.(this);
    const { close = "end" } = this.#manners;
    if (close === "ignore") return;
    const own = this.connection.host.options;
    const isOwn = own.code !== undefined;
    // RFC 6455 §5.5.1: an endpoint "typically echos the status code it received".
    this.send(isOwn ? rawClose(own.code, own.reason) : rawFrame(opcodes.close, payload));
    if (close === "end") this.connection.socket.end();
  }
}

/** What is wrong with a client's frame, if anything. */
function faultOf(frame: ClientFrame, isInMessage: boolean, isClosed: boolean): string | undefined {
  const { opcode } = frame;
  const isControl = opcode >= 8;
  const isKnown = Object.values(opcodes).includes(opcode);
  if (isClosed) return `RFC 6455 §5.5.1: a frame after the Close frame, opcode ${opcode}`;
  if (!frame.masked) return "RFC 6455 §5.3: a frame without a mask";
  if (!isKnown) return `RFC 6455 §5.2: a reserved opcode: ${opcode}`;
  if (frame.rsv !== 0) return `RFC 6455 §5.2: reserved bits without an extension: ${frame.rsv}`;
  if (isControl && !frame.fin) return "RFC 6455 §5.5: a fragmented control frame";
  if (isControl && frame.payload.length > 125) return "RFC 6455 §5.5: a long control frame";
  const isContinuation = opcode === opcodes.continuation;
  if (isControl || isContinuation === isInMessage) return textFault(frame);
  return `RFC 6455 §5.4: opcode ${opcode} ${isInMessage ? "inside" : "outside"} a message`;
}

function textFault({ fin, opcode, payload }: ClientFrame): string | undefined {
  const isWholeText = fin && opcode === opcodes.text;
  const text = isWholeText ? payload : opcode === opcodes.close ? payload.subarray(2) : undefined;
  if (opcode === opcodes.close && payload.length === 1) return "RFC 6455 §5.5.1: half a close code";
  if (text === undefined || Buffer.from(text.toString()).equals(text)) return undefined;
  return "RFC 6455 §8.1: text that is no UTF-8";
}

/** Waits for what `options.wait` names. */
export async function waited(peer: RawPeer): Promise<void> {
  const { host } = peer.connection;
  if (host.options.wait === "release") await host.released();
  else if (host.options.wait === "data") await peer.firstMessage();
}

/** Reads and reports the request. */
export async function requested(connection: RecipeConnection): Promise<RequestEvent> {
  const request = await connection.readRequest();
  connection.host.report(request);
  return request;
}
