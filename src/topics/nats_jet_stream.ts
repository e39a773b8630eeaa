import { messageOf, nameOf } from "../realm/kinds.ts";
import { Deferred, FULFILLED, ignore } from "../stream_channel/errors.ts";
import { type OptionKinds, readOptions, shown } from "../stream_channel/options.ts";
import { Deadline } from "../web_socket/deadline.ts";
import type { Message } from "../web_socket/web_socket_channel.ts";
import { Backoff } from "./backoff.ts";
import type {
  EngineEvents,
  EngineLog,
  EngineSettings,
  HistoryPage,
  HistoryRange,
  LogPlace,
  LogPublishing,
  TopicsEngine,
} from "./engine.ts";
import { randomName } from "./offset.ts";
import { PAGE, PAGE_BYTES } from "./page_size.ts";
import { EngineError } from "./topics_error.ts";

/** The clients of `@nats-io/jetstream` for a connection, with only the members that the engine uses. */
export interface NatsJetStreamClients {
  /** The result of `jetstream(connection)`. */
  readonly js: { readonly consumers: object };
  /** The result of `await jetstreamManager(connection)`. */
  readonly jsm: { readonly consumers: object; readonly streams: object };
}

/** Options of {@linkcode natsJetStream}. */
export interface NatsJetStreamOptions {
  /**
   * The name of the stream and the beginning of its subjects: letters, digits, `-` and `_`. Processes with the same
   * prefix share the log. Default `"topics"`.
   */
  prefix?: string | undefined;
  /** Where the server keeps the log. Default `"file"`. */
  storage?: "file" | "memory" | undefined;
  /** How many servers of a cluster keep the log. Default 1. */
  replicas?: number | undefined;
}

const KINDS: OptionKinds<NatsJetStreamOptions> = {
  prefix: "string",
  storage: '"file"|"memory"',
  replicas: "limit",
};

/** A nanosecond's part of a millisecond. */
const NANOS = 1_000_000;
/** How long a fetch waits for messages, and a publish for its answer, in milliseconds. */
const FETCH = 1000;
const PUBLISH_TIMEOUT = 2000;
/** How long the server's answer may take beyond what a fetch waits, in milliseconds. */
const MAX_ANSWER = 1000;
/** How many messages a fetch gets at most. */
const BATCH = 500;
/** How long the server keeps an unused consumer, in milliseconds. */
const UNUSED = 30_000;
/** An API error of the server's: the name is that of another stream. */
const NAME_IN_USE = 10_058;
/** Another one: a stream has these subjects. It may be this stream, which another process creates just now. */
const SUBJECTS_OVERLAP = 10_065;
/** The time of creation that servers before 2.10 answer while another process creates the stream. */
const NO_TIME = /^0001-/;

interface StreamConfig {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly [option: string]: unknown;
}

interface StreamInfo {
  readonly created: string;
  readonly config: { readonly max_msgs_per_subject: number };
  readonly state: {
    readonly first_seq: number;
    readonly last_seq: number;
    readonly subjects?: Readonly<Record<string, number>>;
  };
}

interface JsMessage {
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly info: { readonly pending: number };
}

interface JsConsumer {
  fetch(options: object): Promise<AsyncIterable<JsMessage> & { stop(): void }>;
  info(): Promise<unknown>;
}

interface Js {
  publish(subject: string, data: Uint8Array, options?: object): Promise<{ readonly seq: number }>;
  readonly consumers: { get(stream: string, name: string): Promise<JsConsumer> };
}

interface Jsm {
  readonly streams: {
    add(config: object): Promise<StreamInfo>;
    update(name: string, config: object): Promise<StreamInfo>;
    info(name: string, options?: object): Promise<StreamInfo>;
    purge(name: string, options: object): Promise<unknown>;
    getMessage(name: string, query: object): Promise<{ seq: number; data: Uint8Array } | null>;
  };
  readonly consumers: {
    add(stream: string, config: object): Promise<{ name: string; num_pending: number }>;
    delete(stream: string, name: string): Promise<unknown>;
  };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const TEXT = 0x74;
const BINARY = 0x62;

/** The first byte tells text from bytes. */
function packed(message: Message): Uint8Array {
  const bytes = typeof message === "string" ? encoder.encode(message) : message;
  const data = new Uint8Array(bytes.length + 1);
  data[0] = typeof message === "string" ? TEXT : BINARY;
  data.set(bytes, 1);
  return data;
}

function unpacked(data: Uint8Array): Message {
  return data[0] === TEXT ? decoder.decode(data.subarray(1)) : data.slice(1);
}

/** A name as one token of a subject: all but letters, digits, `-` and `_` as `=` and the byte. */
export function tokenOf(name: string): string {
  let token = "";
  for (const byte of encoder.encode(name)) {
    const char = String.fromCharCode(byte);
    token += /[\w-]/.test(char) ? char : `=${byte.toString(16).padStart(2, "0")}`;
  }
  return token;
}

/** The name that a token stands for; `null` when this engine has not made it. */
export function nameOfToken(token: string): string | null {
  try {
    return decodeURIComponent(token.replaceAll("=", "%"));
  } catch {
    return null;
  }
}

/** What an error of the package's means: a refusal of the server as it is, anything else is a lost connection. */
function asEngineError(error: unknown): unknown {
  if (error instanceof EngineError) return error;
  // The package's own error has the server's as its cause.
  const cause = (error as { cause?: unknown } | null)?.cause;
  for (const it of [error, cause]) if (isRefused(it)) return it;
  return new EngineError("The connection to NATS is lost", { cause: error });
}

/** API errors of the server's with a status of 5xx that do not pass: no JetStream, and no cluster for `replicas`. */
const LASTING: readonly unknown[] = [10_039, 10_074, 10_076];

/** Whether the server refuses something, and would again. */
function isRefused(error: unknown): boolean {
  const name = nameOf(error);
  const { code, status = 0 } = (error ?? {}) as { code?: unknown; status?: number };
  if (name !== "JetStreamApiError") {
    return name === "PermissionViolationError" || name === "InvalidArgumentError";
  }
  // 408 is a timeout. What is not found, 404, is created again.
  return status < 500 && status !== 404 && status !== 408 || LASTING.includes(code);
}

/** Whether the user has closed the connection, or it has given up. */
function isClosedError(error: unknown): boolean {
  return /ClosedConnection|DrainingConnection/.test(nameOf(error) ?? "");
}

class NatsEngine implements TopicsEngine {
  readonly #clients: NatsJetStreamClients;
  readonly #options: NatsJetStreamOptions;

  constructor(clients: NatsJetStreamClients, options: NatsJetStreamOptions) {
    this.#clients = clients;
    this.#options = options;
  }

  open(events: EngineEvents, settings: EngineSettings): EngineLog {
    return new NatsLog(this.#clients, this.#options, events, settings);
  }
}

class NatsLog implements EngineLog {
  readonly ready: Promise<void>;
  readonly #js: Js;
  readonly #jsm: Jsm;
  readonly #options: NatsJetStreamOptions;
  readonly #events: EngineEvents;
  readonly #settings: EngineSettings;
  readonly #ready = new Deferred();
  readonly #backoff: Backoff;
  readonly #name: string;
  #isClosed = false;
  #epoch = "";
  /** What the server calls the stream's beginning. */
  #created = "";
  /** How many messages of a topic the stream keeps, without the one that shows that there were more. */
  #size = 0;
  #cursor = 0;

  constructor(
    clients: NatsJetStreamClients,
    options: NatsJetStreamOptions,
    events: EngineEvents,
    settings: EngineSettings,
  ) {
    this.#js = clients.js as unknown as Js;
    this.#jsm = clients.jsm as unknown as Jsm;
    this.#options = options;
    this.#events = events;
    this.#settings = settings;
    this.#name = options.prefix ?? "topics";
    this.#backoff = new Backoff(settings.clock);
    this.ready = this.#ready.promise;
    void this.#run();
  }

  // Reading.

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      try {
        await this.#serve();
      } catch (error) {
        if (this.#isClosed) return;
        if (isClosedError(error)) return this.#fail(error);
        this.#events.onLost(asEngineError(error));
      }
      await this.#backoff.pause();
    }
  }

  #fail(cause: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const error = new EngineError("The connection to NATS was closed", { cause });
    this.#ready.reject(error);
    this.#backoff.end();
    this.#events.onClosed(error);
  }

  async #serve(): Promise<void> {
    const info = await this.#ensure();
    const { last_seq } = info.state;
    if (this.#epoch === "") {
      this.#cursor = last_seq;
      this.#see(info);
      this.#ready.resolve();
    } else this.#see(info, last_seq < this.#cursor && info.created === this.#created);
    const { name } = await this.#jsm.consumers.add(this.#name, {
      ...this.#consumerConfig(this.#cursor + 1),
      inactive_threshold: UNUSED * NANOS,
    });
    const consumer = await this.#js.consumers.get(this.#name, name);
    this.#backoff.reset();
    this.#events.onRestored();
    const remove = (): void => void this.#jsm.consumers.delete(this.#name, name).catch(ignore);
    try {
      while (!this.#isClosed) {
        const before = this.#cursor;
        await this.#fetch(consumer, BATCH, (message) => {
          if (!this.#isClosed) this.#report(message);
          return this.#isClosed;
        });
        // Nothing was published: is it still the same log?
        if (this.#cursor === before && !this.#isClosed) await consumer.info();
      }
    } finally {
      remove();
    }
  }

  /**
   * Reads messages: as many as asked for, or those of a second. Where the connection is lost, the package would wait
   * until it is back.
   *
   * @param onMessage Returns whether that is enough.
   */
  async #fetch(
    consumer: JsConsumer,
    max_messages: number,
    onMessage: (message: JsMessage) => boolean,
  ): Promise<void> {
    const messages = await consumer.fetch({ max_messages, expires: FETCH });
    let isLate = false;
    const deadline = new Deadline(this.#settings.clock, {
      ms: FETCH + MAX_ANSWER,
      onTime: () => {
        isLate = true;
        messages.stop();
      },
    });
    try {
      for await (const message of messages) {
        deadline.restart();
        if (onMessage(message)) break;
      }
    } finally {
      deadline.clear();
    }
    if (isLate) throw new EngineError("NATS doesn't answer");
  }

  #consumerConfig(from: number): object {
    return {
      ack_policy: "none",
      deliver_policy: "by_start_sequence",
      opt_start_seq: from,
      replay_policy: "instant",
      mem_storage: true,
    };
  }

  /** The streams, as this process wants them. */
  async #ensure(): Promise<StreamInfo> {
    const { size, age, lease } = this.#settings;
    const { storage = "file", replicas = 1 } = this.#options;
    await this.#ensureStream({
      name: this.#presence,
      subjects: [`${this.#name}.presence.*.*`],
      storage: "memory",
      num_replicas: replicas,
      max_msgs_per_subject: 1,
      max_age: Math.max(lease, 100) * NANOS,
    });
    return await this.#ensureStream({
      name: this.#name,
      subjects: [`${this.#name}.log.*`],
      storage,
      num_replicas: replicas,
      // One more shows whether there were more.
      max_msgs_per_subject: size + 1,
      max_age: Math.max(age, 100) * NANOS,
      duplicate_window: Math.max(age, 100) * NANOS,
    });
  }

  async #ensureStream(config: StreamConfig): Promise<StreamInfo> {
    const { streams } = this.#jsm;
    const { name } = config;
    const info = await streams.add({ retention: "limits", discard: "old", ...config }).catch(
      (error) => {
        const { code } = error as { code?: unknown };
        if (code === NAME_IN_USE) return streams.update(name, config);
        if (code !== SUBJECTS_OVERLAP) throw error;
        return streams.update(name, config).catch(() => {
          throw error;
        });
      },
    );
    return NO_TIME.test(info.created) ? await this.#info(name) : info;
  }

  async #info(name: string, options?: object): Promise<StreamInfo> {
    for (;;) {
      const info = await this.#jsm.streams.info(name, options);
      if (!NO_TIME.test(info.created)) return info;
      if (this.#isClosed) throw new EngineError("The topics were closed");
    }
  }

  get #presence(): string {
    return `${this.#name}_presence`;
  }

  /**
   * Another beginning is another log.
   *
   * @param isShorter Whether it ends before what was read of it: a server has lost a part.
   */
  #see({ created, config }: StreamInfo, isShorter = false): void {
    this.#size = config.max_msgs_per_subject - 1;
    if (created === this.#created && !isShorter) return;
    const name = created.replace(/\W/g, "");
    const isFirst = this.#epoch === "";
    this.#epoch = isShorter ? `${name}_${randomName()}` : name;
    this.#created = created;
    if (!isFirst) this.#cursor = 0;
    this.#events.onEpoch(this.#epoch);
  }

  #report({ seq, subject, data }: JsMessage): void {
    if (seq <= this.#cursor) return;
    const before = this.#cursor;
    this.#cursor = seq;
    if (seq !== before + 1) this.#events.onGap({ after: BigInt(before), includes: () => true });
    const topic = nameOfToken(subject.slice(this.#name.length + ".log.".length));
    if (topic === null) return;
    this.#events.onEntry({ topic, message: unpacked(data), position: BigInt(seq) });
  }

  // Asking.

  async #ask<T>(call: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new EngineError("The connection to NATS was closed");
    try {
      return await call();
    } catch (error) {
      if (isClosedError(error)) this.#fail(error);
      // A stream was deleted: the next attempt finds it created again.
      if ((error as { status?: unknown } | null)?.status === 404) {
        await this.#ensure().catch(ignore);
      }
      throw asEngineError(error);
    }
  }

  async publish(
    topic: string,
    message: Message,
    { id, token }: LogPublishing,
  ): Promise<LogPlace> {
    const name = tokenOf(topic);
    const msgID = id === undefined ? token : `${name}.${tokenOf(id)}`;
    const options = { msgID, timeout: PUBLISH_TIMEOUT };
    const { seq } = await this.#ask(() =>
      this.#js.publish(`${this.#name}.log.${name}`, packed(message), options)
    );
    return { epoch: this.#epoch, position: BigInt(seq) };
  }

  async history(topic: string, { after, last }: HistoryRange): Promise<HistoryPage> {
    return await this.#ask(async () => {
      const subject = `${this.#name}.log.${tokenOf(topic)}`;
      const info = await this.#info(this.#name, { subjects_filter: subject });
      this.#see(info);
      const epoch = this.#epoch;
      const { first_seq, last_seq, subjects = {} } = info.state;
      const count = subjects[subject] ?? 0;
      const page = { epoch, entries: [], isLast: true, end: BigInt(last_seq) };
      if (after !== null && after > BigInt(last_seq)) return { ...page, isComplete: false };
      const from = Number(after ?? 0n) + 1;
      const isReached = from >= first_seq || from > last_seq;
      if (count === 0) return { ...page, isComplete: after === null || isReached };
      if (after === null && last === 0) return { ...page, isComplete: true };
      if (after === null) {
        const start = await this.#startOf(subject, last, count, info.state);
        return { ...page, ...await this.#page(subject, start, last_seq), isComplete: true };
      }
      const found = await this.#page(subject, from, last_seq);
      // Its messages are removed the oldest first: one from before `after` shows that none is missing behind it.
      const isComplete = isReached && count <= this.#size ||
        (await this.#oldest(subject)) < from;
      return { ...page, ...found, isComplete };
    });
  }

  async #oldest(subject: string): Promise<number> {
    const query = { next_by_subj: subject, seq: 1 };
    const oldest = await this.#jsm.streams.getMessage(this.#name, query).catch(() => null);
    return oldest?.seq ?? Infinity;
  }

  /** Where the last messages of a topic begin, or somewhat before. */
  async #startOf(
    subject: string,
    last: number,
    count: number,
    { first_seq, last_seq }: StreamInfo["state"],
  ): Promise<number> {
    let [low, high, skipped] = [first_seq, last_seq, count - last];
    // Some may be read that are older.
    while (skipped > 0 && low < high) {
      const middle = Math.floor((low + high + 1) / 2);
      const pending = await this.#pending(subject, middle);
      if (pending < last) high = middle - 1;
      else {
        low = middle;
        skipped = pending - last;
      }
    }
    return low;
  }

  async #pending(subject: string, from: number): Promise<number> {
    const { name, num_pending } = await this.#addReader(subject, from);
    void this.#jsm.consumers.delete(this.#name, name).catch(ignore);
    return num_pending;
  }

  async #addReader(subject: string, from: number): Promise<{ name: string; num_pending: number }> {
    return await this.#jsm.consumers.add(this.#name, {
      ...this.#consumerConfig(from),
      filter_subject: subject,
      inactive_threshold: UNUSED * NANOS,
    });
  }

  async #page(
    subject: string,
    from: number,
    end: number,
  ): Promise<Pick<HistoryPage, "entries" | "isLast">> {
    const { name, num_pending } = await this.#addReader(subject, from);
    const entries: { position: bigint; message: Message }[] = [];
    const wanted = Math.min(num_pending, PAGE);
    let read = 0;
    let isLast = wanted === 0;
    try {
      let bytes = 0;
      while (!isLast && read < wanted && bytes < PAGE_BYTES) {
        const before = read;
        const consumer = await this.#js.consumers.get(this.#name, name);
        await this.#fetch(consumer, wanted - read, ({ seq, data, info }) => {
          read++;
          bytes += data.length;
          if (seq <= end) entries.push({ position: BigInt(seq), message: unpacked(data) });
          isLast = seq >= end || info.pending === 0;
          return isLast || bytes >= PAGE_BYTES || read >= wanted;
        });
        if (read === before) throw new EngineError("NATS doesn't answer");
      }
    } finally {
      void this.#jsm.consumers.delete(this.#name, name).catch(ignore);
    }
    return { entries, isLast };
  }

  async announce(topic: string, slot: string, text: string | null): Promise<void> {
    const subject = `${this.#name}.presence.${tokenOf(topic)}.${slot}`;
    await this.#ask<unknown>(() =>
      text === null
        ? this.#jsm.streams.purge(this.#presence, { filter: subject })
        : this.#js.publish(subject, encoder.encode(text), { timeout: PUBLISH_TIMEOUT })
    );
  }

  async announced(topic: string): Promise<string[]> {
    return await this.#ask(async () => {
      const subjects_filter = `${this.#name}.presence.${tokenOf(topic)}.*`;
      const { state } = await this.#jsm.streams.info(this.#presence, { subjects_filter });
      const texts: string[] = [];
      for (const subject of Object.keys(state.subjects ?? {})) {
        const query = { last_by_subj: subject };
        // It may have ended meanwhile.
        const found = await this.#jsm.streams.getMessage(this.#presence, query).catch((error) => {
          if (messageOf(error).includes("no message found")) return null;
          throw error;
        });
        if (found !== null) texts.push(decoder.decode(found.data));
      }
      return texts;
    });
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#ready.reject(new EngineError("The topics were closed"));
    this.#backoff.end();
    return FULFILLED;
  }
}

/**
 * Creates the engine for processes that share NATS servers with JetStream (2.9 or later). A message is published when
 * the stream has it on `replicas` servers.
 *
 * The engine uses two streams, named `prefix` (the log) and `prefix_presence`. It creates them, or changes existing
 * ones to its options. Every process reads the whole log, and ignores topics without subscribers in that process. When
 * you close the connection, the topics end. Pass `maxReconnectAttempts: -1` to `connect` of NATS: otherwise the
 * connection ends after some failed attempts.
 *
 * @param clients The results of `jetstream(connection)` and `jetstreamManager(connection)` of `@nats-io/jetstream`.
 * @param given See {@linkcode NatsJetStreamOptions}.
 * @returns The engine, for `Topics`.
 * @throws {TypeError} When `clients` are no such clients, or an option is malformed.
 *
 * @example
 * ```ts ignore
 * import { connect } from "@nats-io/transport-node";
 * import { jetstream, jetstreamManager } from "@nats-io/jetstream";
 * import { natsJetStream, Topics } from "@web-socket/channel/topics";
 *
 * const connection = await connect({ servers: "localhost:4222", maxReconnectAttempts: -1 });
 * const clients = { js: jetstream(connection), jsm: await jetstreamManager(connection) };
 * const topics = new Topics({ engine: natsJetStream(clients) });
 * ```
 */
export function natsJetStream(
  clients: NatsJetStreamClients,
  given?: NatsJetStreamOptions,
): TopicsEngine {
  const options = readOptions(given, KINDS);
  if (options.prefix !== undefined && !/^[\w-]+$/.test(options.prefix)) {
    throw new TypeError("Cannot use the option prefix: it must be letters, digits, - and _");
  }
  const { js, jsm } = (clients ?? {}) as { js?: Partial<Js>; jsm?: Partial<Jsm> };
  const methods = [js?.publish, js?.consumers?.get, jsm?.streams?.add, jsm?.consumers?.add];
  if (!methods.every((method) => typeof method === "function")) {
    throw new TypeError(
      `Cannot use the clients: they must be { js, jsm } of @nats-io/jetstream, got ${
        shown(clients)
      }`,
    );
  }
  return new NatsEngine(clients, options);
}
