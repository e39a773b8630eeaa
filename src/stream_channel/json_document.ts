import { isBinary } from "../realm/bytes.ts";
import { isPromiseLike } from "../realm/kinds.ts";
import { type ChannelLike, type ChannelParts, partsOf } from "./channel_like.ts";
import type { ChannelSink } from "./channel_sink.ts";
import { INVALID_PAYLOAD_DATA, preHandled } from "./errors.ts";
import {
  issuesOf,
  type JsonText,
  MalformedJsonError,
  type StandardSchema,
  ValidationError,
} from "./json_errors.ts";
import { encodeJson } from "./json_value.ts";
import { readOptions, shown } from "./options.ts";
import { Relay, type WaitingHandlers } from "./relay.ts";
import {
  type ChannelTransformer,
  DelegatingStreamChannel,
  type StreamChannel,
} from "./stream_channel.ts";

/** The result with which a `malformed` function skips the message. */
export interface Skip {
  /** Marks the object. Only the object that the function receives counts. */
  readonly skip: true;
}

const SKIP: Skip = Object.freeze({ skip: true });

/** The third argument of a `malformed` function. */
export interface MalformedContext<Out = unknown> {
  /** Return this to skip the message. */
  readonly skip: Skip;
  /**
   * Sends a value to the peer, even while an `addStream` runs.
   *
   * @returns `false` if the value was dropped because the channel is closed.
   * @throws {TypeError} If the value can't be encoded as JSON, or isn't valid.
   */
  reply(value: Out): boolean;
}

/**
 * What to do with a message that isn't a JSON document, or that the schema rejects:
 *
 * - `"error"`: the stream fails with the error, and the channel closes. A WebSocket closes with 1007 if the
 *   transport can send it. Most platforms' own `WebSocket` can't; their Close then has no code.
 * - `"skip"`: the message is dropped.
 * - A function: its result replaces the message, unless it returns `skip`. It may be asynchronous; later
 *   messages then wait. If it throws, the stream fails.
 *
 * A schema that throws, rejects or returns an invalid result always makes the stream fail: that is a fault of
 * the program, not of the message.
 */
export type MalformedPolicy<In = unknown, Out = unknown> =
  | "error"
  | "skip"
  | ((
    text: JsonText,
    error: MalformedJsonError | ValidationError,
    context: MalformedContext<Out>,
  ) => In | Skip | PromiseLike<In | Skip>);

/** Options of {@linkcode jsonDocument}. */
export interface JsonDocumentOptions<In = unknown, Out = unknown> {
  /** What to do with messages that can't be parsed, or aren't valid. Default `"error"`. */
  malformed?: MalformedPolicy<In, Out> | undefined;
  /**
   * Validates and transforms each received value. It may be asynchronous: later messages wait, but closing
   * doesn't.
   */
  incoming?: StandardSchema<unknown, In> | undefined;
  /** Validates and transforms each outgoing value. It must be synchronous. */
  outgoing?: StandardSchema<Out, unknown> | undefined;
  /** Parses a message, instead of `JSON.parse`. If it throws, the message is malformed. */
  parse?: ((text: string) => unknown) | undefined;
  /**
   * Encodes a value, instead of `JSON.stringify` and the check that JSON doesn't change it silently. Use it
   * for big integers, bytes or `Map`s. It must return a string; `add` throws its errors.
   */
  stringify?: ((value: unknown) => string) | undefined;
}

/** The type of {@linkcode jsonDocument}: a transformer, and a function that creates transformers. */
export interface JsonDocument extends ChannelTransformer<JsonText, string, unknown, unknown> {
  /** Returns a transformer with options. */
  <In = unknown, Out = unknown>(
    options: JsonDocumentOptions<In, Out>,
  ): ChannelTransformer<JsonText, string, In, Out>;
}

/**
 * Transforms a channel of texts to a channel of values, with one JSON document in each message. Corresponds
 * to Dart's `jsonDocument`.
 *
 * It is a transformer itself. Called with {@linkcode JsonDocumentOptions}, it returns one with another policy
 * for malformed messages, or one that validates with any Standard Schema.
 *
 * A message that isn't a JSON document fails the stream with a {@linkcode MalformedJsonError}, and closes the
 * inner channel with that error. A WebSocket's peer gets 1007 if the transport can send it, and `closed`
 * reports the error.
 *
 * `sink.add` throws a `TypeError`, and sends nothing, if the value isn't valid, or if JSON would change it
 * silently: `undefined` in an array, `NaN`, a function, a symbol, a `bigint`, bytes, a `Map`, an `Error`, a
 * cycle. The error names the place, such as `$.items[3]`. The result of an object's `toJSON` replaces the
 * object, and a property that is `undefined` is left out.
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
 *
 * @example Answer a malformed message, and go on
 * ```ts
 * import { channelPair, jsonDocument } from "@web-socket/channel/stream-channel";
 *
 * const { local, foreign } = channelPair<string>();
 * const channel = local.transform(jsonDocument({
 *   malformed(_text, error, { reply, skip }) {
 *     reply({ error: error.name });
 *     return skip;
 *   },
 * }));
 * foreign.sink.add("no JSON");
 * foreign.sink.add("[1]");
 * console.log((await channel.stream.next()).value); // [1]
 * console.log((await foreign.stream.next()).value); // {"error":"MalformedJsonError"}
 * await channel.sink.close();
 * ```
 */
export const jsonDocument: JsonDocument = Object.assign(transformer, {
  transformChannel: (channel: ChannelLike<JsonText, string>): StreamChannel<unknown, unknown> =>
    transform(channel, {}),
});

function transformer<In, Out>(
  given?: JsonDocumentOptions<In, Out>,
): ChannelTransformer<JsonText, string, In, Out> {
  if ("~standard" in Object(given)) {
    throw new TypeError(
      "Cannot use the options: they must be an object, got a schema. Pass { incoming: schema }",
    );
  }
  const options = readOptions<JsonDocumentOptions<In, Out>>(given, {
    malformed: '"error"|"skip"|function',
    incoming: "object|function",
    outgoing: "object|function",
    parse: "function",
    stringify: "function",
  });
  checkSchema("incoming", options.incoming);
  checkSchema("outgoing", options.outgoing);
  return { transformChannel: (channel) => transform(channel, options) };
}

function checkSchema<In, Out>(name: string, schema: StandardSchema<In, Out> | undefined): void {
  if (schema === undefined || typeof schema["~standard"]?.validate === "function") return;
  const text = `it must be a Standard Schema, got ${shown(schema)}`;
  throw new TypeError(`Cannot use the option ${name}: ${text}`);
}

function transform<In, Out>(
  channel: ChannelLike<JsonText, string>,
  options: JsonDocumentOptions<In, Out>,
): StreamChannel<In, Out> {
  const parts = partsOf(channel);
  const encode = encoder(options);
  const relay = new Relay<JsonText, string, In, Out>(parts, {
    decode: { create: () => new Decoder<In, Out>(options, parts, encode) },
    encode,
  });
  return new DelegatingStreamChannel(relay);
}

function inParts(message: unknown): TypeError {
  return new TypeError(
    `Cannot receive: a JSON document must be one text, got ${
      shown(message)
    }. Connect or serve without streamLargerThan`,
  );
}

class Decoder<In, Out> implements WaitingHandlers<JsonText, In> {
  readonly #malformed: MalformedPolicy<In, Out>;
  readonly #schema: StandardSchema<unknown, In> | undefined;
  readonly #parse: (text: string) => unknown;
  readonly #isOwnParse: boolean;
  readonly #context: MalformedContext<Out>;

  constructor(
    { malformed = "error", incoming, parse }: JsonDocumentOptions<In, Out>,
    { sink }: ChannelParts<JsonText, string>,
    encode: (value: Out) => string,
  ) {
    this.#malformed = malformed;
    this.#schema = incoming;
    this.#isOwnParse = parse !== undefined;
    this.#parse = parse ?? JSON.parse;
    this.#context = { skip: SKIP, reply: (value) => addUnlessClosed(sink, encode(value)) };
  }

  transform(text: JsonText, emit: (value: In) => void): void | Promise<void> {
    if (typeof text !== "string") {
      // A message in parts can't be skipped: a `malformed` function doesn't read it, and all later messages
      // would wait.
      if (!isBinary(text)) throw inParts(text);
      return this.#reject(text, new MalformedJsonError(text), emit);
    }
    const parse = this.#parse;
    let value: unknown;
    try {
      value = parse(text);
    } catch (cause) {
      // An error of `JSON.parse` quotes the text, so it isn't kept as the cause.
      const error = new MalformedJsonError(text, this.#isOwnParse ? { cause } : undefined);
      return this.#reject(text, error, emit);
    }
    if (this.#schema === undefined) return emit(value as In);
    const result: unknown = this.#schema["~standard"].validate(value);
    if (!isPromiseLike(result)) return this.#settle(text, result, emit);
    return Promise.resolve(result).then((it) => this.#settle(text, it, emit));
  }

  #settle(text: JsonText, result: unknown, emit: (value: In) => void): void | Promise<void> {
    const issues = issuesOf(result);
    if (issues === null) return emit((result as { value: In }).value);
    const error = new ValidationError("Cannot receive", issues, INVALID_PAYLOAD_DATA);
    return this.#reject(text, error, emit);
  }

  #reject(
    text: JsonText,
    error: MalformedJsonError | ValidationError,
    emit: (value: In) => void,
  ): void | Promise<void> {
    const malformed = this.#malformed;
    if (malformed === "skip") return;
    if (malformed === "error") throw error;
    const emitUnlessSkipped = (value: In | Skip): void => {
      if (value !== SKIP) emit(value as In);
    };
    const instead = malformed(text, error, this.#context);
    if (!isPromiseLike(instead)) return emitUnlessSkipped(instead as In | Skip);
    return Promise.resolve(instead as PromiseLike<In | Skip>).then(emitUnlessSkipped);
  }
}

/** Adds a value unless the sink is closed. */
function addUnlessClosed(sink: ChannelSink<string>, text: string): boolean {
  try {
    return sink.add(text);
  } catch {
    return false;
  }
}

function encoder<In, Out>(options: JsonDocumentOptions<In, Out>): (value: Out) => string {
  const { outgoing, stringify } = options;
  const encode = stringify === undefined
    ? encodeJson
    : (value: unknown) => stringOf(stringify(value));
  if (outgoing === undefined) return encode;
  return (value) => {
    const result: unknown = outgoing["~standard"].validate(value);
    if (isPromiseLike(result)) {
      preHandled(Promise.resolve(result));
      throw new TypeError("Cannot send: the schema is asynchronous, but add is synchronous");
    }
    const issues = issuesOf(result);
    if (issues !== null) throw new ValidationError("Cannot send", issues);
    return encode((result as { value: unknown }).value);
  };
}

function stringOf(text: unknown): string {
  if (typeof text === "string") return text;
  throw new TypeError(`Cannot send: \`stringify\` must return a string, got ${typeof text}`);
}
