/** Frames by hand and protocols that keep a record. On purpose no code is shared with what is tested. */

import { Protocol } from "../../src/protocol/protocol.ts";
import type { ProtocolOptions } from "../../src/protocol/protocol_events.ts";
import type { Side } from "../../src/protocol/frame.ts";

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

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  const pairs = text.replaceAll(/\s/g, "").match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}

export function joined(chunks: Iterable<Uint8Array>): Uint8Array<ArrayBuffer> {
  const all = [...chunks];
  const result = new Uint8Array(all.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of all) {
    result.set(chunk, at);
    at += chunk.length;
  }
  return result;
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

export function frame(spec: FrameSpec): Uint8Array<ArrayBuffer> {
  const { opcode, payload = "", fin = true, rsv = 0, key } = spec;
  const body = typeof payload === "string" ? utf8(payload) : payload;
  const form = spec.form ?? (body.length < 126 ? 7 : body.length < 65536 ? 16 : 64);
  const first = (fin ? 128 : 0) | rsv << 4 | opcode;
  const head = [first, ...lengthBytes(body.length, form, key ? 128 : 0), ...(key ?? [])];
  const masked = key ? body.map((byte, i) => byte ^ (key[i % 4] ?? 0)) : body;
  return joined([Uint8Array.from(head), masked]);
}

/** A frame as the peer of `side` sends it. */
export function peerFrame(side: Side, spec: FrameSpec): Uint8Array<ArrayBuffer> {
  return frame(side === "server" ? { key: KEY, ...spec } : spec);
}

export function closePayload(
  code: number,
  reason: string | Uint8Array = "",
): Uint8Array<ArrayBuffer> {
  const text = typeof reason === "string" ? utf8(reason) : reason;
  return joined([Uint8Array.of(code >> 8, code & 255), text]);
}

/** One entry a thing that was told: `text …`, `binary <hex>`, `ping <hex>`, `close 1000 …`. */
export type Log = string[];

export interface Recorded {
  protocol: Protocol;
  log: Log;
  /** Set to be called with each message as well. */
  onMessage: (message: string | Uint8Array) => void;
  /** All the output so far, taken. */
  sent(): string;
}

export function describe(message: string | Uint8Array): string {
  return typeof message === "string" ? `text ${message}` : `binary ${hex(message)}`;
}

export function record(side: Side, options: Partial<ProtocolOptions> = {}): Recorded {
  const log: Log = [];
  const base = { side, maskingKeys: () => KEY_NUMBER, maxMessageSize: 1 << 24 };
  const protocol = new Protocol({ ...base, ...options }, {
    onMessage(message) {
      log.push(describe(message));
      recorded.onMessage(message);
    },
    onPing: (payload) => log.push(`ping ${hex(payload)}`),
    onPong: (payload) => log.push(`pong ${hex(payload)}`),
    onClose: (code, reason) => log.push(`close ${code} ${reason}`),
    onFailure: (code, reason) => log.push(`failure ${code} ${reason}`),
    onOutput: () => log.push("output"),
    onUnblocked: () => log.push("unblocked"),
  });
  const recorded: Recorded = {
    protocol,
    log,
    onMessage: () => {},
    sent: () => hex(joined(protocol.takeOutput())),
  };
  return recorded;
}

/** What was told, without the notes of output. */
export function told(recorded: Recorded): Log {
  return recorded.log.filter((entry) => entry !== "output");
}

/** Every way to cut bytes in two, besides whole, and byte by byte. */
export function* splits(bytes: Uint8Array): Generator<Uint8Array[]> {
  yield [bytes];
  yield Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
  // Long frames: all of the header and the ends, and some of the middle.
  for (let at = 1; at < bytes.length; at++) {
    if (at > 40 && at < bytes.length - 8 && at % 4093 !== 0) continue;
    yield [bytes.subarray(0, at), bytes.subarray(at)];
  }
}
