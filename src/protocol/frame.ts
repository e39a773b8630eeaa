/**
 * Decoding, encoding and checking of frame headers
 * ({@link https://www.rfc-editor.org/rfc/rfc6455#section-5.2 RFC 6455 §5.2}).
 *
 * @module
 */

import {
  BAD_LENGTH,
  type Failure,
  FRAGMENTED_CONTROL,
  LONG_CONTROL,
  MASKED,
  MESSAGE_UNFINISHED,
  NOT_MASKED,
  NOTHING_TO_CONTINUE,
  RESERVED_BIT,
  RESERVED_OPCODE,
} from "./failure.ts";

/** The role of this side in a connection. The peer has the other one. */
export type Side = "client" | "server";

/** The opcode of a fragment that is not the first of its message. */
export const CONTINUATION = 0x0;
/** The opcode of a text message. */
export const TEXT = 0x1;
/** The opcode of a binary message. */
export const BINARY = 0x2;
/** The opcode of a Close frame. It and all higher opcodes are those of control frames. */
export const CLOSE = 0x8;
/** The opcode of a Ping. */
export const PING = 0x9;
/** The opcode of a Pong. */
export const PONG = 0xa;

/** The bit of a header's first byte that marks a message's last frame. */
export const FIN = 0x80;
/** The bit of a header's first byte that marks a compressed message (RFC 7692 §6). */
export const RSV1 = 0x40;
/** The two bits of a header's first byte that no extension here defines. */
const RSV2_RSV3 = 0x30;

/** The bit of a header's second byte that announces a masking key. */
const MASK = 0x80;

/** RFC 6455 §5.5: the maximum length of a control frame's payload, in bytes. */
export const MAX_CONTROL_PAYLOAD = 125;

/** The maximum length of a header, in bytes: two, eight for the length, four for the masking key. */
export const MAX_HEADER_LENGTH = 14;

/** A decoded header. One object is reused for each frame; a frame in pieces keeps its own. */
export class FrameHeader {
  /** The first byte: FIN, RSV1–3 and the opcode. */
  flags = 0;
  /** Whether the payload is masked. */
  masked = false;
  /** The masking key as a big-endian number; 0 if the payload isn't masked. */
  key = 0;
  /** The payload's length in bytes, rounded above 2^53; -1 if its most significant bit is set. */
  length = 0;

  /** The opcode: the kind of the frame. */
  get opcode(): number {
    return this.flags & 0x0f;
  }

  /** Whether the frame is the last one of its message. */
  get fin(): boolean {
    return (this.flags & FIN) !== 0;
  }

  /** Whether the frame is a control frame: Close, Ping, Pong, or one with a reserved opcode from 11 to 15. */
  get isControl(): boolean {
    return (this.flags & CLOSE) !== 0;
  }
}

/** Reads an unsigned 32-bit big-endian number. */
function readUint32(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) >>> 0;
}

/** Reads a signed 32-bit big-endian number. For a masking key only the bits matter. */
function readInt32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
}

/**
 * RFC 6455 §5.2: "the minimal number of bytes MUST be used to encode the length". That is the sender's duty:
 * like browsers and other servers, this accepts a longer form.
 */
function readLength(bytes: Uint8Array, at: number, short: number): number {
  if (short < 126) return short;
  if (short === 126) return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  const high = readUint32(bytes, at);
  return high >= 0x8000_0000 ? -1 : high * 0x1_0000_0000 + readUint32(bytes, at + 4);
}

/**
 * Decodes the header that begins at `at`. It doesn't check whether the header is valid: see
 * {@linkcode checkHeader}.
 *
 * @param bytes The received bytes.
 * @param at Where the header begins.
 * @param end Where the received bytes end.
 * @param header Receives the decoded values. It doesn't change if the header is incomplete.
 * @returns The header's length in bytes, 2–14, or 0 if it is incomplete.
 */
export function decodeHeader(
  bytes: Uint8Array,
  at: number,
  end: number,
  header: FrameHeader,
): number {
  if (end - at < 2) return 0;
  const second = bytes[at + 1] as number;
  const short = second & 0x7f;
  const masked = second >= MASK;
  const keyAt = short < 126 ? 2 : short === 126 ? 4 : 10;
  const size = masked ? keyAt + 4 : keyAt;
  if (end - at < size) return 0;
  header.flags = bytes[at] as number;
  header.masked = masked;
  header.key = masked ? readInt32(bytes, at + keyAt) : 0;
  header.length = readLength(bytes, at + 2, short);
  return size;
}

/**
 * Returns the length of the header that {@linkcode encodeHeader} writes.
 *
 * @param length The payload's length in bytes.
 * @param masked Whether the header includes a masking key.
 * @returns 2–14 bytes.
 */
export function headerLength(length: number, masked: boolean): number {
  const size = length < 126 ? 2 : length < 0x1_0000 ? 4 : 10;
  return masked ? size + 4 : size;
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/**
 * Encodes a header in its shortest form, without a masking key.
 *
 * @param bytes Where to write. There must be room for `headerLength(length, masked)` bytes.
 * @param at Where the header begins.
 * @param flags The first byte: FIN, RSV1–3 and the opcode.
 * @param length The payload's length in bytes, a safe integer.
 * @param masked Whether a masking key follows, written with {@linkcode encodeKey}.
 * @returns Where the masking key or the payload begins.
 */
export function encodeHeader(
  bytes: Uint8Array,
  at: number,
  flags: number,
  length: number,
  masked: boolean,
): number {
  const mask = masked ? MASK : 0;
  bytes[at] = flags;
  if (length < 126) {
    bytes[at + 1] = mask | length;
    return at + 2;
  }
  if (length < 0x1_0000) {
    bytes[at + 1] = mask | 126;
    bytes[at + 2] = length >>> 8;
    bytes[at + 3] = length;
    return at + 4;
  }
  bytes[at + 1] = mask | 127;
  writeUint32(bytes, at + 2, Math.floor(length / 0x1_0000_0000));
  writeUint32(bytes, at + 6, length);
  return at + 10;
}

/**
 * Encodes a masking key.
 *
 * @param bytes Where to write.
 * @param at Where the key begins.
 * @param key The key as a big-endian number.
 * @returns Where the payload begins.
 */
export function encodeKey(bytes: Uint8Array, at: number, key: number): number {
  writeUint32(bytes, at, key);
  return at + 4;
}

/** A bit of the context of {@linkcode checkHeader}: the peer is a client, so it must mask its frames. */
export const PEER_MASKS = 1;
/** A bit of the context of {@linkcode checkHeader}: permessage-deflate was agreed, so RSV1 has a meaning. */
export const COMPRESSIBLE = 2;
/** A bit of the context of {@linkcode checkHeader}: the last fragment of a message has not arrived. */
export const UNFINISHED = 4;

/**
 * Finds the rule of RFC 6455 §5 that a header breaks. It doesn't check the size of the message.
 *
 * @param header The header.
 * @param context The state of the connection: a combination of {@linkcode PEER_MASKS},
 * {@linkcode COMPRESSIBLE} and {@linkcode UNFINISHED}.
 * @returns The failure, or `null` if the header is valid.
 */
export function checkHeader(header: FrameHeader, context: number): Failure | null {
  // RFC 6455 §5.1: masking depends on the direction alone. Frames with an empty payload are no exception.
  const peerMasks = (context & PEER_MASKS) !== 0;
  if (header.masked !== peerMasks) return peerMasks ? NOT_MASKED : MASKED;
  if ((header.flags & RSV2_RSV3) !== 0) return RESERVED_BIT;
  if (header.length < 0) return BAD_LENGTH;
  return header.isControl ? checkControl(header) : checkData(header, context);
}

function checkControl(header: FrameHeader): Failure | null {
  if (header.opcode > PONG) return RESERVED_OPCODE;
  // RFC 7692 §6.1: control frames are never compressed.
  if ((header.flags & RSV1) !== 0) return RESERVED_BIT;
  if (!header.fin) return FRAGMENTED_CONTROL;
  return header.length > MAX_CONTROL_PAYLOAD ? LONG_CONTROL : null;
}

function checkData(header: FrameHeader, context: number): Failure | null {
  const opcode = header.opcode;
  if (opcode > BINARY) return RESERVED_OPCODE;
  const compressed = (header.flags & RSV1) !== 0;
  const unfinished = (context & UNFINISHED) !== 0;
  if (opcode === CONTINUATION) {
    // RFC 7692 §6.1: only the first fragment of a message has RSV1.
    if (compressed) return RESERVED_BIT;
    return unfinished ? null : NOTHING_TO_CONTINUE;
  }
  if (compressed && (context & COMPRESSIBLE) === 0) return RESERVED_BIT;
  return unfinished ? MESSAGE_UNFINISHED : null;
}
