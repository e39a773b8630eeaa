/** RFC 6455 §5.2: frames as cases write them, every fault included. */

import { concat, isSame, shown, size, utf8 } from "./bytes.ts";

/** A frame to send, or to expect. */
export interface Frame {
  /** 0–15. */
  readonly opcode: number;
  readonly payload: Uint8Array;
  readonly fin: boolean;
  /** RSV1–3 as a number of 0–7; RSV1 is 4. */
  readonly rsv: number;
  /** How many bits its length takes; left out: as few as possible. */
  readonly lengthBits?: 7 | 16 | 64;
  /** A length to announce in place of the payload's. */
  readonly announced?: bigint;
  /** Whether it is masked although it must not be, or the reverse. */
  readonly hasWrongMask?: boolean;
  /** The masking key to use, if it has one. */
  readonly key?: readonly number[];
}

type Content = string | Uint8Array;

function frame(opcode: number, content: Content, more: Partial<Frame> = {}): Frame {
  const payload = typeof content === "string" ? utf8(content) : content;
  return { opcode, payload, fin: true, rsv: 0, ...more };
}

/** A frame of any opcode. */
export const raw: (opcode: number, content?: Content, more?: Partial<Frame>) => Frame = (
  opcode,
  content = "",
  more,
) => frame(opcode, content, more);
export const text = (content: Content, more?: Partial<Frame>): Frame => frame(1, content, more);
export const binary = (content: Content, more?: Partial<Frame>): Frame => frame(2, content, more);
export const ping = (content: Content = "", more?: Partial<Frame>): Frame =>
  frame(9, content, more);
export const pong = (content: Content = "", more?: Partial<Frame>): Frame =>
  frame(10, content, more);
/** A Continuation frame; `fin` is left to `more`. */
export const rest = (content: Content, more?: Partial<Frame>): Frame => frame(0, content, more);
/** A Close frame with a code and a reason, or with this payload, or empty. */
export function close(code?: number | Uint8Array, reason: Content = ""): Frame {
  if (code === undefined) return frame(8, "");
  if (typeof code !== "number") return frame(8, code);
  const words = typeof reason === "string" ? utf8(reason) : reason;
  return frame(8, concat([Uint8Array.of(code >> 8, code & 255), words]));
}

/** Not the last fragment. */
export const more = { fin: false } as const;
/** RSV1: with permessage-deflate, a compressed message (RFC 7692 §6). */
export const rsv1 = { rsv: 4 } as const;

const NAMES: Readonly<Record<number, string>> = {
  0: "Continuation",
  1: "Text",
  2: "Binary",
  8: "Close",
  9: "Ping",
  10: "Pong",
};

/** One line about a frame. */
export function describe(it: Frame): string {
  const parts = [NAMES[it.opcode] ?? `opcode ${it.opcode}`];
  if (!it.fin) parts.push("FIN=0");
  if (it.rsv !== 0) parts.push(`RSV=${it.rsv.toString(2).padStart(3, "0")}`);
  if (it.hasWrongMask) parts.push("with the wrong masking");
  if (it.lengthBits !== undefined) parts.push(`a length of ${it.lengthBits} bits`);
  if (it.announced !== undefined) parts.push(`announces ${it.announced} bytes`);
  const { opcode, payload } = it;
  const content = opcode === 8 && payload.length > 1 ? closeContent(payload) : shown(payload);
  return `${parts.join(", ")}: ${content}`;
}

function closeContent(payload: Uint8Array): string {
  const reason = payload.length > 2 ? ` ${shown(payload.subarray(2))}` : "";
  return `${(payload[0] ?? 0) << 8 | (payload[1] ?? 0)}${reason}`;
}

/** The masking key of most frames to a server: that of the example in RFC 6455 §5.7. */
const KEY: readonly number[] = [0x37, 0xfa, 0x21, 0x3d];

/** The frame's bytes. */
export function encode(it: Frame, toServer: boolean): Uint8Array {
  const { payload } = it;
  const isMasked = toServer !== (it.hasWrongMask ?? false);
  const key = it.key ?? KEY;
  const first = (it.fin ? 0x80 : 0) | it.rsv << 4 | it.opcode;
  const head = [first, ...lengthBytes(it, isMasked ? 0x80 : 0), ...(isMasked ? key : [])];
  const bytes = new Uint8Array(head.length + payload.length);
  bytes.set(head);
  bytes.set(payload, head.length);
  if (isMasked) mask(bytes.subarray(head.length), key);
  return bytes;
}

function lengthBytes({ payload, lengthBits, announced }: Frame, maskBit: number): number[] {
  const { length } = payload;
  if (announced === undefined && lengthBits === undefined && length < 126) {
    return [maskBit | length];
  }
  const value = announced ?? BigInt(length);
  const bits = lengthBits ?? (value < 65536n ? 16 : 64);
  if (bits === 7) return [maskBit | Number(value)];
  const count = bits / 8;
  const bytes = Array.from(
    { length: count },
    (_, i) => Number(value >> BigInt(8 * (count - 1 - i)) & 0xffn),
  );
  return [maskBit | (bits === 16 ? 126 : 127), ...bytes];
}

/** RFC 6455 §5.3: masks or unmasks in place. */
export function mask(bytes: Uint8Array, key: ArrayLike<number>): void {
  const a = key[0] ?? 0;
  const b = key[1] ?? 0;
  const c = key[2] ?? 0;
  const d = key[3] ?? 0;
  const whole = bytes.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    bytes[i]! ^= a;
    bytes[i + 1]! ^= b;
    bytes[i + 2]! ^= c;
    bytes[i + 3]! ^= d;
  }
  for (let i = whole; i < bytes.length; i++) bytes[i]! ^= key[i & 3] ?? 0;
}

/** Splits a payload into the frames of one message: lengths of all fragments but the last. */
export function fragments(first: Frame, lengths: readonly number[]): Frame[] {
  const frames: Frame[] = [];
  let at = 0;
  for (const length of [...lengths, first.payload.length]) {
    const payload = first.payload.subarray(at, at + length);
    const start = frames.length === 0;
    frames.push({
      ...first,
      opcode: start ? first.opcode : 0,
      rsv: start ? first.rsv : 0,
      payload,
      fin: false,
    });
    at += length;
  }
  const last = frames.at(-1);
  if (last !== undefined) frames[frames.length - 1] = { ...last, fin: true };
  return frames;
}

/** Splits a payload into fragments of one length. */
export function evenly(first: Frame, length: number): Frame[] {
  const count = Math.max(0, Math.ceil(first.payload.length / length) - 1);
  return fragments(first, new Array(count).fill(length));
}

/** Whether a message has this kind and content. */
export function isMessage(it: Frame, opcode: number, payload: Uint8Array): boolean {
  return it.opcode === opcode && isSame(it.payload, payload);
}

/** A family of frames in a few words: `"3 frames of 64 KiB"`. */
export function describeAll(frames: readonly Frame[]): string[] {
  if (frames.length <= 12) return frames.map(describe);
  const bytes = frames.reduce((sum, { payload }) => sum + payload.length, 0);
  const [first, second] = frames;
  return [
    first === undefined ? "" : describe(first),
    second === undefined ? "" : describe(second),
    `… ${frames.length} frames in all, ${size(bytes)} of payload`,
  ];
}
