import { UsageError } from "./args.ts";
import { MAX_PAUSE } from "./pause.ts";

/** What is replayed of a recorded connection. */
export interface Recorded {
  readonly id: number;
  /** When it began, in milliseconds since the recording did. */
  readonly at: number;
  /** The client's messages, in order. */
  readonly messages: readonly RecordedMessage[];
  /** How many messages the server had sent. */
  readonly received: number;
  /** The client's Close; `null` when there was none. */
  readonly close: { readonly at: number; readonly code: number; readonly reason: string } | null;
  /** How many messages can't be sent: they were compressed, or too large to be recorded. */
  readonly missing: number;
  /** How many have lost their secrets. */
  readonly redacted: number;
}

/** A message, and when it was sent. */
export interface RecordedMessage {
  readonly at: number;
  readonly content: string | Uint8Array;
}

interface Line {
  readonly type?: unknown;
  readonly connection?: unknown;
  readonly at?: unknown;
  readonly from?: unknown;
  readonly text?: unknown;
  readonly base64?: unknown;
  readonly redacted?: unknown;
  readonly code?: unknown;
  readonly reason?: unknown;
}

/**
 * Reads a recording of `tap`.
 *
 * @throws {UsageError} When it is none.
 */
export function readRecording(text: string): Recorded[] {
  const found = new Map<number, Draft>();
  for (const [i, row] of text.split("\n").entries()) {
    if (row.trim() === "") continue;
    const line = lineOf(row, i + 1);
    if (i === 0 && line.type !== "tap") throw wrong(1, "it is not the first line of a recording");
    if (typeof line.connection === "number") take(found, line.connection, line, i + 1);
  }
  if (text.trim() === "") throw wrong(1, "the file is empty");
  return [...found.values()];
}

function utf8Size(text: string): number {
  return new TextEncoder().encode(text).length;
}

type Draft = {
  -readonly [Key in keyof Recorded]: Key extends "messages" ? RecordedMessage[] : Recorded[Key];
};

function lineOf(row: string, number: number): Line {
  try {
    const line: unknown = JSON.parse(row);
    if (typeof line === "object" && line !== null) return line;
  } catch {
    // Below.
  }
  throw wrong(number, "it is not a JSON object");
}

function take(found: Map<number, Draft>, id: number, line: Line, number: number): void {
  const { at } = line;
  if (typeof at !== "number" || !(at >= 0 && at <= MAX_PAUSE)) {
    throw wrong(number, `its "at" is not a number from 0 to ${MAX_PAUSE}`);
  }
  let draft = found.get(id);
  if (draft === undefined) {
    draft = { id, at, messages: [], received: 0, close: null, missing: 0, redacted: 0 };
    found.set(id, draft);
  }
  if (line.type === "close" && line.from === "client") {
    const { code, reason } = line;
    if (typeof code !== "number" || typeof reason !== "string" || utf8Size(reason) > 123) {
      throw wrong(number, "it has no code and reason of a Close frame");
    }
    draft.close ??= { at, code, reason };
  }
  if (line.type !== "message") return;
  if (line.from !== "client") return void draft.received++;
  if (line.redacted === true) draft.redacted++;
  if (typeof line.text === "string") draft.messages.push({ at, content: line.text });
  else if (typeof line.base64 === "string") {
    draft.messages.push({ at, content: bytesOf(line.base64, number) });
  } else draft.missing++;
}

function bytesOf(base64: string, number: number): Uint8Array {
  try {
    return Uint8Array.from(atob(base64), (it) => it.charCodeAt(0));
  } catch {
    throw wrong(number, "its bytes are not base64");
  }
}

function wrong(number: number, why: string): UsageError {
  return new UsageError(`Cannot read the recording: line ${number}: ${why}`);
}
