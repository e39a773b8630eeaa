/**
 * Frames by hand (RFC 6455 §5.2), for servers that misbehave. On purpose it shares no code with
 * what is tested.
 */

import { Buffer } from "node:buffer";

/** RFC 6455 §11.8: opcodes by name. */
export const opcodes: Readonly<
  Record<"continuation" | "text" | "binary" | "close" | "ping" | "pong", number>
> = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** A frame's first byte, where it isn't that of a whole message. */
export interface RawFrameOptions {
  /** Whether it is the last of its message; true if left out. */
  fin?: boolean;
  /** RSV1 to RSV3 as a number from 0 to 7, RSV1 the highest bit. */
  rsv?: number;
}

/** An unmasked frame, as servers send it, with the shortest length that fits. */
export function rawFrame(
  opcode: number,
  payload: Uint8Array | string = "",
  options: RawFrameOptions = {},
): Buffer {
  const body = typeof payload === "string" ? Buffer.from(payload) : payload;
  const first = (options.fin === false ? 0 : 0x80) | ((options.rsv ?? 0) << 4) | opcode;
  return Buffer.concat([Buffer.from([first]), rawLength(body.length), body]);
}

function rawLength(length: number): Buffer {
  if (length < 126) return Buffer.from([length]);
  const bytes = Buffer.alloc(length < 65536 ? 3 : 9);
  bytes[0] = length < 65536 ? 126 : 127;
  if (length < 65536) bytes.writeUInt16BE(length, 1);
  else bytes.writeBigUInt64BE(BigInt(length), 1);
  return bytes;
}

/** A Close frame; without a code, an empty one. */
export function rawClose(code?: number, reason: string | Uint8Array = ""): Buffer {
  if (code === undefined) return rawFrame(opcodes.close);
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return rawFrame(opcodes.close, Buffer.concat([head, Buffer.from(reason)]));
}

/** A frame as it came from a client. */
export interface ClientFrame {
  fin: boolean;
  rsv: number;
  opcode: number;
  masked: boolean;
  /** Unmasked. */
  payload: Buffer;
}

/** Cuts what a client sends into frames and takes their masks off. */
export class ClientFrames {
  #chunks: Uint8Array[] = [];
  #length = 0;
  #needed = 2;

  /** The frames that are whole with this chunk. */
  push(chunk: Uint8Array): ClientFrame[] {
    const frames: ClientFrame[] = [];
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#length >= this.#needed) {
      const frame = this.#take();
      if (frame !== undefined) frames.push(frame);
    }
    return frames;
  }

  /** One frame; or none, and then `#needed` says with how many bytes to try again. */
  #take(): ClientFrame | undefined {
    const all = this.#chunks.length === 1 && this.#chunks[0] !== undefined
      ? Buffer.from(this.#chunks[0].buffer, this.#chunks[0].byteOffset, this.#chunks[0].length)
      : Buffer.concat(this.#chunks);
    this.#chunks = [all];
    const masked = (all.readUInt8(1) & 0x80) !== 0;
    const short = all.readUInt8(1) & 0x7f;
    const lengthEnd = short === 126 ? 4 : short === 127 ? 10 : 2;
    const headEnd = lengthEnd + (masked ? 4 : 0);
    if (all.length < headEnd) return void (this.#needed = headEnd);
    const length = short === 126
      ? all.readUInt16BE(2)
      : short === 127
      ? Number(all.readBigUInt64BE(2))
      : short;
    const end = headEnd + length;
    if (all.length < end) return void (this.#needed = end);
    const payload = Buffer.from(all.subarray(headEnd, end));
    if (masked) unmask(payload, all.subarray(lengthEnd, headEnd));
    this.#chunks = [all.subarray(end)];
    this.#length = all.length - end;
    this.#needed = 2;
    const first = all.readUInt8(0);
    const frame = { rsv: (first >> 4) & 7, opcode: first & 15, masked, payload };
    return { fin: (first & 0x80) !== 0, ...frame };
  }
}

function unmask(payload: Uint8Array, key: Uint8Array): void {
  for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] ?? 0) ^ (key[i % 4] ?? 0);
}
