import { copyOf, isBinary } from "../realm/bytes.ts";
import { article } from "../stream_channel/options.ts";
import type { CountedQueue } from "../stream_channel/counted_queue.ts";
import type { MessageInput, SendOptions } from "./web_socket_sink.ts";

/** A message that waits until the connection is open. */
export interface EarlyMessage {
  readonly message: MessageInput;
  readonly options: SendOptions | undefined;
}

/** Adds a copy of a message to a queue that counts bytes of payload. */
export function keepMessage(
  queue: Pick<CountedQueue<EarlyMessage>, "pushSized">,
  message: MessageInput,
  options: SendOptions | undefined,
): void {
  const kept = typeof message === "string" ? message : copyOf(message);
  const size = typeof kept === "string" ? utf8Length(kept) : kept.byteLength;
  queue.pushSized({ message: kept, options }, size);
}

/**
 * Checks that a value can be sent.
 *
 * @throws {TypeError} For anything but a string, an `ArrayBuffer` or a view of one.
 */
export function checkMessage(value: unknown): asserts value is MessageInput {
  if (typeof value === "string" || isBinary(value)) return;
  throw new TypeError(
    `Cannot add: a message must be a string, an ArrayBuffer or a view of one, got ${kindOf(value)}`,
  );
}

function kindOf(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (value === null || typeof value !== "object") return String(value);
  const { constructor } = value;
  return article(typeof constructor === "function" && constructor.name || "object");
}

/** Returns the length of a text in bytes of UTF-8, without encoding it. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    length += unit < 0x800 ? 1 : 2;
    if (unit < 0xd800 || unit > 0xdbff) continue;
    // A pair of surrogates has four bytes. A lone one becomes U+FFFD, which has three.
    const next = text.charCodeAt(i + 1);
    if (next >= 0xdc00 && next <= 0xdfff) i++;
  }
  return length;
}
