/** Encodes and decodes frames (RFC 6455 §5.2). It shares no code with the package. */

import { joined, utf8 } from "./bytes.ts";

/** RFC 6455 §11.8: opcodes by name. */
export const opcodes: Readonly<
  Record<"continuation" | "text" | "binary" | "close" | "ping" | "pong", number>
> = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** The number of bits of an encoded length. */
export type LengthForm = 7 | 16 | 64;

export interface FrameSpec {
  opcode: number;
  payload?: Uint8Array | string;
  /** Left out: true. */
  fin?: boolean;
  /** RSV1–3 as a number of 0–7, RSV1 the highest bit. */
  rsv?: number;
  /** Left out: not masked. */
  key?: readonly number[];
  /** Left out: the shortest. */
  form?: LengthForm;
}

export const KEY: readonly number[] = [0x37, 0xfa, 0x21, 0x3d];
export const KEY_NUMBER = 0x37fa213d;

export function frame(spec: FrameSpec): Uint8Array<ArrayBuffer> {
  const { opcode, payload = "", fin = true, rsv = 0, key } = spec;
  const body = typeof payload === "string" ? utf8(payload) : payload;
  const form = spec.form ?? (body.length < 126 ? 7 : body.length < 65536 ? 16 : 64);
  const first = (fin ? 128 : 0) | rsv << 4 | opcode;
  const head = [first, ...lengthBytes(body.length, form, key ? 128 : 0), ...(key ?? [])];
  return joined([Uint8Array.from(head), key ? masked(body, key) : body]);
}

function lengthBytes(length: number, form: LengthForm, mask: number): number[] {
  if (form === 7) return [mask | length];
  if (form === 16) return [mask | 126, length >> 8, length & 255];
  const all = Array.from(
    { length: 8 },
    (_, i) => Number(BigInt(length) >> BigInt(56 - 8 * i) & 255n),
  );
  return [mask | 127, ...all];
}

function masked(bytes: Uint8Array, key: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(bytes);
  for (let i = 0; i < result.length; i++) result[i]! ^= key[i & 3] ?? 0;
  return result;
}

/** A frame as a client sends it. */
export function clientFrame(spec: FrameSpec): Uint8Array<ArrayBuffer> {
  return frame({ key: KEY, ...spec });
}

/** A frame as the peer of `side` sends it. */
export function peerFrame(side: "client" | "server", spec: FrameSpec): Uint8Array<ArrayBuffer> {
  return side === "server" ? clientFrame(spec) : frame(spec);
}

export function closePayload(
  code: number,
  reason: string | Uint8Array = "",
): Uint8Array<ArrayBuffer> {
  const text = typeof reason === "string" ? utf8(reason) : reason;
  return joined([Uint8Array.of(code >> 8, code & 255), text]);
}

/** A server's Close frame; without a code, an empty one. */
export function closeFrame(
  code?: number,
  reason: string | Uint8Array = "",
): Uint8Array<ArrayBuffer> {
  const payload = code === undefined ? "" : closePayload(code, reason);
  return frame({ opcode: opcodes.close, payload });
}

/** A decoded frame. */
export interface ReadFrame {
  readonly fin: boolean;
  readonly rsv: number;
  readonly opcode: number;
  readonly masked: boolean;
  /** Unmasked. */
  readonly payload: Uint8Array<ArrayBuffer>;
}

/** Decodes the bytes of an end into unmasked frames. */
export class FrameReader {
  #chunks: Uint8Array[] = [];
  #length = 0;
  #needed = 2;

  /** Returns the frames that this chunk completes. */
  push(chunk: Uint8Array): ReadFrame[] {
    const frames: ReadFrame[] = [];
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#length >= this.#needed) {
      const frame = this.#take();
      if (frame !== undefined) frames.push(frame);
    }
    return frames;
  }

  /** Returns one frame, or none: then `#needed` is the number of bytes that the next attempt needs. */
  #take(): ReadFrame | undefined {
    const [first] = this.#chunks;
    const all = this.#chunks.length === 1 && first !== undefined ? first : joined(this.#chunks);
    this.#chunks = [all];
    const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
    const isMasked = view.getUint8(1) > 127;
    const short = view.getUint8(1) & 127;
    const lengthEnd = short === 126 ? 4 : short === 127 ? 10 : 2;
    const start = lengthEnd + (isMasked ? 4 : 0);
    if (all.length < start) return void (this.#needed = start);
    const length = short === 126
      ? view.getUint16(2)
      : short === 127
      ? Number(view.getBigUint64(2))
      : short;
    const end = start + length;
    if (all.length < end) return void (this.#needed = end);
    this.#chunks = [all.subarray(end)];
    this.#length = all.length - end;
    this.#needed = 2;
    const head = view.getUint8(0);
    const body = all.subarray(start, end);
    return {
      fin: head > 127,
      rsv: head >> 4 & 7,
      opcode: head & 15,
      masked: isMasked,
      payload: isMasked ? masked(body, all.subarray(lengthEnd, start)) : new Uint8Array(body),
    };
  }
}

/** Returns the complete frames in these bytes. */
export function framesIn(bytes: Uint8Array): ReadFrame[] {
  return new FrameReader().push(bytes);
}

/** The code of a Close frame's payload; 1005 without one. */
export function closeCodeIn(payload: Uint8Array): number {
  return payload.length < 2 ? 1005 : (payload[0] ?? 0) << 8 | (payload[1] ?? 0);
}
