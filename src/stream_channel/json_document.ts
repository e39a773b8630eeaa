import { isPromiseLike, nameOf } from "../realm/kinds.ts";
import { type ChannelLike, partsOf } from "./channel_like.ts";
import { preHandled } from "./errors.ts";
import { Relay, type WaitingHandlers } from "./relay.ts";
import { type StandardResult, type StandardSchema, ValidationError } from "./standard_schema.ts";
import { PairedChannel, type StreamChannel } from "./stream_channel.ts";
import type { ChannelTransformer } from "./transformer.ts";

/** What a channel of JSON documents is over: binary messages count as malformed. */
export type JsonText = string | Uint8Array;

/**
 * What becomes of a message that is no JSON document, or isn't valid:
 *
 * - `"error"`: the stream fails with it and the channel closes;
 * - `"skip"`: nothing, the next message comes;
 * - a function: the value that it gives comes in its place; what it throws makes the stream fail.
 */
export type Malformed<T> = "error" | "skip" | ((text: JsonText, error: unknown) => T);

/** Options of {@linkcode jsonDocument}. */
export interface JsonDocumentOptions<In = unknown, Out = unknown> {
  /** What becomes of what can't be read. Default `"error"`. */
  malformed?: Malformed<In> | undefined;
  /** Validates, and turns, each value that comes. It may take its time: the next message waits. */
  incoming?: StandardSchema<unknown, In> | undefined;
  /** Validates, and turns, each value that goes. It has to be synchronous. */
  outgoing?: StandardSchema<Out, unknown> | undefined;
}

/** The type of {@linkcode jsonDocument}: a transformer, and a function that makes others. */
export interface JsonDocument extends ChannelTransformer<JsonText, string, unknown, unknown> {
  /** A transformer with options. */
  <In = unknown, Out = unknown>(
    options: JsonDocumentOptions<In, Out>,
  ): ChannelTransformer<JsonText, string, In, Out>;
}

/**
 * Makes a channel of texts a channel of values: one JSON document a message. Corresponds to Dart's
 * `jsonDocument`.
 *
 * It is a transformer itself, and, called with {@linkcode JsonDocumentOptions}, gives one that has
 * another policy for malformed messages or validates with any Standard Schema. On the sink, `add`
 * throws a `TypeError`, and nothing is sent, when the value has no JSON (a function, a cycle, a
 * `bigint`, `undefined`) or isn't valid.
 *
 * @example
 * ```ts
 * import { channelPair, jsonDocument } from "@web-socket/channel/stream-channel";
 *
 * const { local, foreign } = channelPair<string>();
 * foreign.sink.add('{"answer":42}');
 * const channel = local.transform(jsonDocument);
 * console.log((await channel.stream.next()).value); // { answer: 42 }
 * channel.sink.add({ question: null });
 * console.log((await foreign.stream.next()).value); // '{"question":null}'
 * await channel.sink.close();
 * ```
 */
export const jsonDocument: JsonDocument = Object.assign(transformer, {
  bind: (channel: ChannelLike<JsonText, string>): StreamChannel<unknown, unknown> =>
    bind(channel, {}),
});

function transformer<In, Out>(
  options: JsonDocumentOptions<In, Out>,
): ChannelTransformer<JsonText, string, In, Out> {
  return { bind: (channel) => bind(channel, options) };
}

function bind<In, Out>(
  channel: ChannelLike<JsonText, string>,
  options: JsonDocumentOptions<In, Out>,
): StreamChannel<In, Out> {
  const relay = new Relay<JsonText, string, In, Out>(partsOf(channel), {
    decode: { create: () => new Decoder<In, Out>(options) },
    encode: encoder(options.outgoing),
  });
  return new PairedChannel(relay.stream, relay.sink);
}

class Decoder<In, Out> implements WaitingHandlers<JsonText, In> {
  readonly #malformed: Malformed<In>;
  readonly #schema: StandardSchema<unknown, In> | undefined;

  constructor(options: JsonDocumentOptions<In, Out>) {
    this.#malformed = options.malformed ?? "error";
    this.#schema = options.incoming;
  }

  transform(text: JsonText, emit: (value: In) => void): void | Promise<void> {
    let value: unknown;
    try {
      value = parse(text);
      if (this.#schema !== undefined) value = this.#schema["~standard"].validate(value);
    } catch (error) {
      return this.#reject(text, error, emit);
    }
    if (this.#schema === undefined) return emit(value as In);
    if (!isPromiseLike(value)) return this.#settle(text, value as StandardResult<In>, emit);
    // A promise of this realm, whosever `then` it is.
    return Promise.resolve(value).then(
      (result) => this.#settle(text, result as StandardResult<In>, emit),
      (error) => this.#reject(text, error, emit),
    );
  }

  #settle(text: JsonText, result: StandardResult<In>, emit: (value: In) => void): void {
    if (result.issues === undefined) return emit(result.value);
    this.#reject(text, new ValidationError("Cannot receive", result.issues), emit);
  }

  #reject(text: JsonText, error: unknown, emit: (value: In) => void): void {
    if (this.#malformed === "skip") return;
    if (this.#malformed === "error") throw error;
    emit(this.#malformed(text, error));
  }
}

function parse(text: JsonText): unknown {
  if (typeof text === "string") return JSON.parse(text);
  throw new SyntaxError("Cannot parse: a JSON document is text, and the message is binary");
}

function encoder<Out>(schema: StandardSchema<Out, unknown> | undefined): (value: Out) => string {
  if (schema === undefined) return stringify;
  return (value) => {
    const result = schema["~standard"].validate(value);
    if (isPromiseLike(result)) {
      preHandled(Promise.resolve(result));
      throw new TypeError("Cannot send: the schema is asynchronous, and add is not");
    }
    if (result.issues === undefined) return stringify(result.value);
    throw new ValidationError("Cannot send", result.issues);
  };
}

function stringify(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    if (nameOf(cause) === "TypeError") throw cause;
    throw new TypeError("Cannot encode: the value's toJSON failed", { cause });
  }
  if (text === undefined) throw new TypeError(`Cannot encode: JSON has no ${typeof value}`);
  return text;
}
