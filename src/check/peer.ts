/** The other side of a connection, as a case sees it: it reads frames and finds every fault in them. */

import { concat, isUtf8, shown, size } from "./bytes.ts";
import { Fault, Silence } from "./fault.ts";
import { close, describe, describeAll, encode, type Frame, mask } from "./frames.ts";
import { InflateError, Inflater } from "./inflater.ts";
import type { CheckedSide } from "./report.ts";
import type { Ended, Wire } from "./wire.ts";

/** What the peer did. */
export type Event =
  | { readonly kind: "message"; readonly frame: Frame; readonly isCompressed: boolean }
  | { readonly kind: "ping" | "pong"; readonly frame: Frame }
  | { readonly kind: "close"; readonly code: number | null; readonly frame: Frame }
  | { readonly kind: "end"; readonly how: Ended }
  | { readonly kind: "silence" };

/** What was agreed on for the messages of the peer. */
export interface Agreed {
  readonly bits: number;
  readonly keepsContext: boolean;
}

const MAX_LINES = 200;
/** The largest message of a peer, in bytes: twice that of the largest case. */
const MAX_MESSAGE = 32 << 20;
/** The most fragments of a message of a peer: no case sends more. */
const MAX_FRAGMENTS = 1 << 17;
/** So many payloads of fragments are joined: small ones take much more memory than their bytes. */
const JOINED = 1024;
/** How many Pings of the peer are answered while something else is awaited. */
const MAX_PINGS = 1000;

/** Reads and writes frames. */
export class Peer {
  readonly side: CheckedSide;
  readonly wire: Wire;
  /** What was sent and received. */
  readonly transcript: string[];
  /** The masking keys that a client has used. */
  readonly keys: number[] = [];
  /** Whether a Close was sent to the peer. */
  hasSentClose = false;
  /** How many messages were compressed. */
  compressed = 0;
  readonly inflater: Inflater | null;
  #opcode = 0;
  #isCompressed = false;
  /** The payloads of the message's fragments so far: joined, and those that aren't yet. */
  #parts: Uint8Array[] = [];
  #latest: Uint8Array[] = [];
  #fragments = 0;
  #length = 0;
  #hasClosed = false;

  /** @param side The peer's: `"server"` when a server is checked. */
  constructor(side: CheckedSide, wire: Wire, transcript: string[], agreed: Agreed | null) {
    this.side = side;
    this.wire = wire;
    this.transcript = transcript;
    this.inflater = agreed && new Inflater(agreed.bits, agreed.keepsContext, MAX_MESSAGE);
  }

  #log(line: string): void {
    if (this.transcript.length < MAX_LINES) this.transcript.push(line);
  }

  #logSent(frames: readonly Frame[]): void {
    for (const line of describeAll(frames)) this.#log(`> ${line}`);
  }

  /** Sends frames together. */
  send(frames: readonly Frame[]): void {
    this.#logSent(frames);
    this.wire.send(this.encode(frames));
  }

  /** The bytes of frames to this peer. */
  encode(frames: readonly Frame[]): Uint8Array {
    this.hasSentClose ||= frames.some(({ opcode }) => opcode === 8);
    return concat(frames.map((it) => encode(it, this.side === "server")));
  }

  /** Sends frames in pieces of so many bytes. */
  async sendInPieces(frames: readonly Frame[], length: number): Promise<void> {
    this.#logSent(frames);
    await this.wire.sendInPieces(this.encode(frames), length);
  }

  /** The next thing that the peer does. Its Pings are answered, and not reported. @throws {Fault} */
  async next(): Promise<Event> {
    for (let pings = 0;; pings++) {
      const event = await this.#event();
      if (pings > MAX_PINGS) throw new Fault(`it sends more than ${MAX_PINGS} Pings`);
      this.#log(`< ${shownEvent(event)}`);
      if (event.kind !== "ping") return event;
      this.send([{ ...event.frame, opcode: 10 }]);
    }
  }

  async #event(): Promise<Event> {
    try {
      for (;;) {
        const frame = await this.#frame();
        if (frame === null) return { kind: "end", how: this.wire.ended ?? "eof" };
        const event = this.#receive(frame);
        if (event !== null) return event;
      }
    } catch (error) {
      if (error instanceof Silence) return { kind: "silence" };
      throw error;
    }
  }

  /** RFC 6455 §5.2. */
  async #frame(): Promise<Frame | null> {
    const head = await this.wire.take(2);
    if (head === null) return null;
    const [first = 0, second = 0] = head;
    const isMasked = second >= 0x80;
    const length = await this.#payloadLength(second & 0x7f);
    if (length === null) return null;
    this.#length = (first & 8) === 0 && (first & 15) !== 0 ? length : this.#length + length;
    if (this.#length > MAX_MESSAGE || this.#fragments > MAX_FRAGMENTS) {
      throw new Fault(
        `its message has more than ${size(MAX_MESSAGE)} or ${MAX_FRAGMENTS} fragments`,
      );
    }
    if (isMasked !== (this.side === "client")) {
      throw new Fault(
        isMasked
          ? "it masks its frames (RFC 6455 §5.1)"
          : "it sends a frame without a mask (RFC 6455 §5.1)",
      );
    }
    const key = isMasked ? await this.wire.take(4) : new Uint8Array(4);
    if (key === null) return null;
    const payload = await this.wire.take(length);
    if (payload === null) return null;
    if (isMasked) {
      this.keys.push(key.reduce((sum, byte) => sum * 256 + byte, 0));
      mask(payload, key);
    }
    return { opcode: first & 15, payload, fin: first >= 0x80, rsv: first >> 4 & 7 };
  }

  async #payloadLength(short: number): Promise<number | null> {
    if (short < 126) return short;
    const bytes = await this.wire.take(short === 126 ? 2 : 8);
    if (bytes === null) return null;
    const length = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
    if (length < (short === 126 ? 126 : 65_536)) {
      throw new Fault(
        `it writes a length of ${length} with more bytes than needed (RFC 6455 §5.2)`,
      );
    }
    return length;
  }

  #receive(frame: Frame): Event | null {
    const { opcode, fin, rsv } = frame;
    if (this.#hasClosed) throw new Fault("it sends a frame behind its Close (RFC 6455 §5.5.1)");
    const mayHaveRsv1 = this.inflater !== null && (opcode === 1 || opcode === 2);
    if (rsv !== 0 && !(rsv === 4 && mayHaveRsv1)) {
      throw new Fault("it sets a reserved bit that no extension defines (RFC 6455 §5.2)");
    }
    if (opcode > 7) return this.#control(frame);
    if (opcode > 2) throw new Fault(`it sends the reserved opcode ${opcode} (RFC 6455 §5.2)`);
    if ((opcode === 0) !== (this.#opcode !== 0)) {
      throw new Fault("its fragments are not in order (RFC 6455 §5.4)");
    }
    if (opcode !== 0) [this.#opcode, this.#isCompressed] = [opcode, rsv === 4];
    this.#fragments++;
    if (this.#latest.push(frame.payload) === JOINED) {
      this.#parts.push(concat(this.#latest.splice(0)));
    }
    return fin ? this.#message() : null;
  }

  #message(): Event {
    let payload = concat([...this.#parts, ...this.#latest]);
    const [opcode, isCompressed] = [this.#opcode, this.#isCompressed];
    [this.#parts, this.#latest, this.#fragments, this.#opcode] = [[], [], 0, 0];
    if (isCompressed && this.inflater !== null) {
      this.compressed++;
      try {
        payload = this.inflater.message(payload);
      } catch (error) {
        if (error instanceof InflateError) {
          throw new Fault(`its compressed message has ${error.message} (RFC 7692 §7.2)`);
        }
        throw error;
      }
    }
    if (opcode === 1 && !isUtf8(payload)) {
      throw new Fault(`its text isn't UTF-8 (RFC 6455 §5.6): ${shown(payload)}`);
    }
    return { kind: "message", frame: { opcode, payload, fin: true, rsv: 0 }, isCompressed };
  }

  #control(frame: Frame): Event {
    const { opcode, payload, fin } = frame;
    if (opcode > 10) throw new Fault(`it sends the reserved opcode ${opcode} (RFC 6455 §5.2)`);
    if (!fin) throw new Fault("it fragments a control frame (RFC 6455 §5.5)");
    if (payload.length > 125) {
      throw new Fault("its control frame has more than 125 bytes (RFC 6455 §5.5)");
    }
    if (opcode === 9) return { kind: "ping", frame };
    if (opcode === 10) return { kind: "pong", frame };
    this.#hasClosed = true;
    return { kind: "close", code: closeCode(payload), frame };
  }
}

/** RFC 6455 §7.4: the code of a Close that may be sent. @throws {Fault} */
function closeCode(payload: Uint8Array): number | null {
  const [high, low] = payload;
  if (high === undefined) return null;
  if (low === undefined) throw new Fault("its Close has one byte (RFC 6455 §5.5.1)");
  const code = high << 8 | low;
  const isDefined = code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code);
  if (!isDefined && (code < 3000 || code > 4999)) {
    throw new Fault(`it sends the close code ${code} (RFC 6455 §7.4)`);
  }
  if (!isUtf8(payload.subarray(2))) {
    throw new Fault("its close reason isn't UTF-8 (RFC 6455 §5.5.1)");
  }
  return code;
}

/** One line about what the peer did. */
export function shownEvent(event: Event): string {
  if (event.kind === "end") return event.how === "eof" ? "end of TCP" : "reset of TCP";
  if (event.kind === "silence") return "nothing";
  const isCompressed = event.kind === "message" && event.isCompressed;
  return describe(event.frame) + (isCompressed ? " (compressed)" : "");
}

/** The Close that answers one (RFC 6455 §5.5.1). */
export function answerTo(code: number | null): Frame {
  return close(code ?? undefined);
}
