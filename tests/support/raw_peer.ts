/** The server's half of RFC 6455, for tests: it breaks the rules that a test selects. */

import { hex, joined } from "./bytes.ts";
import { closeCodeIn, closeFrame, frame, FrameReader, opcodes, type ReadFrame } from "./frames.ts";
import type { RecipeConnection } from "./recipe_connection.ts";
import type { RequestEvent } from "./recipe_events.ts";

/** How the server handles a client's Close frame. */
export type CloseAnswer =
  /** The server answers it, then ends TCP. */
  | "end"
  /** The server answers it and leaves TCP open. */
  | "keep-tcp"
  /** The server doesn't answer it. */
  | "ignore";

/** How a peer answers by itself. */
export interface Manners {
  /** Whether it echoes messages. */
  echo?: boolean;
  /** Whether it answers a Ping with a Pong. */
  pong?: boolean;
  /** How it handles a Close. Default: "end". */
  close?: CloseAnswer;
  /** Called with each complete message, before the echo. */
  onMessage?: (peer: RawPeer, opcode: number, payload: Uint8Array) => void;
  /** Called with each Close, before the answer. */
  onClose?: (peer: RawPeer) => void;
}

/** Reads a client's frames after the 101, reports them, and answers them as instructed. */
export class RawPeer {
  readonly connection: RecipeConnection;
  readonly #manners: Manners;
  readonly #frames = new FrameReader();
  readonly #fragments: Uint8Array[] = [];
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

  #receive(received: ReadFrame): void {
    const { host } = this.connection;
    const fault = faultOf(received, this.#opcode !== 0, this.#isClosed);
    if (fault !== undefined) host.report({ kind: "fault", message: fault });
    const { opcode, payload } = received;
    if (opcode === opcodes.close) this.#receiveClose(payload);
    else if (opcode === opcodes.pong) host.report({ kind: "pong", payload: hex(payload) });
    else if (opcode === opcodes.ping) {
      host.report({ kind: "ping", payload: hex(payload) });
      if (this.#manners.pong !== false) this.send(frame({ opcode: opcodes.pong, payload }));
    } else this.#receiveFragment(received);
  }

  #receiveFragment({ fin, opcode: given, payload: part }: ReadFrame): void {
    if (given !== opcodes.continuation) this.#opcode = given;
    this.#fragments.push(part);
    if (!fin) return;
    const opcode = this.#opcode;
    const payload = joined(this.#fragments.splice(0));
    this.#opcode = 0;
    this.connection.host.report(
      opcode === opcodes.text
        ? { kind: "message", text: decode(payload) }
        : { kind: "message", binary: hex(payload) },
    );
    this.#hasMessage = true;
    this.#onFirst?.();
    this.#manners.onMessage?.(this, opcode, payload);
    if (this.#manners.echo === true) this.send(frame({ opcode, payload }));
  }

  #receiveClose(payload: Uint8Array): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const code = closeCodeIn(payload);
    const reason = decode(payload.subarray(2));
    this.connection.host.report({ kind: "close", code, reason });
    this.#manners.onClose?.(this);
    const { close = "end" } = this.#manners;
    if (close === "ignore") return;
    const own = this.connection.host.options;
    const isOwn = own.code !== undefined;
    // RFC 6455 §5.5.1: an endpoint "typically echos the status code it received".
    this.send(isOwn ? closeFrame(own.code, own.reason) : frame({ opcode: opcodes.close, payload }));
    if (close === "end") this.connection.socket.end();
  }
}

/** The violation of the protocol in a client's frame, if there is one. */
function faultOf(frame: ReadFrame, isInMessage: boolean, isClosed: boolean): string | undefined {
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

function textFault({ fin, opcode, payload }: ReadFrame): string | undefined {
  const isWholeText = fin && opcode === opcodes.text;
  const text = isWholeText ? payload : opcode === opcodes.close ? payload.subarray(2) : undefined;
  if (opcode === opcodes.close && payload.length === 1) return "RFC 6455 §5.5.1: half a close code";
  try {
    if (text !== undefined) new TextDecoder("utf-8", { fatal: true }).decode(text);
    return undefined;
  } catch {
    return "RFC 6455 §8.1: text that is no UTF-8";
  }
}

/** The text of a client's message, including a byte order mark. */
function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** Waits for the event that `options.wait` selects. */
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
