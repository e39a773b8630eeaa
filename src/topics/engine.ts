import type { Clock } from "../web_socket/clock.ts";
import type { Message } from "../web_socket/web_socket_channel.ts";

/**
 * The storage of topics: a log that one process has, or that many processes share.
 *
 * Your own engine implements this interface; the tests of `testEngine` of `./topics/testing` check it.
 */
export interface TopicsEngine {
  /**
   * Attaches to the log. It returns at once; `Topics` waits for `ready` of the returned log.
   *
   * @param events The functions to call with messages and changes of the connection.
   * @param settings How much the log keeps, and its clock.
   */
  open(events: EngineEvents, settings: EngineSettings): EngineLog;
}

/** Settings of a log: how much it keeps, and its clock. */
export interface EngineSettings {
  /** How many messages of each topic are kept at least. */
  readonly size: number;
  /** How long a message is kept, in milliseconds. */
  readonly age: number;
  /** How long an announcement lasts without a renewal, in milliseconds. */
  readonly lease: number;
  /** The clock for all times that the engine's server doesn't measure. */
  readonly clock: Clock;
}

/** A message in the log. */
export interface LogEntry {
  /** The topic to which it was published. */
  readonly topic: string;
  /** The message. Bytes belong to the entry: they don't change. */
  readonly message: Message;
  /** Its place in the log, above 0: a later message of the same topic has a higher one. */
  readonly position: bigint;
}

/** A gap: the log removed messages before a reader got them. */
export interface LogGap {
  /** The last position that was reported before the gap. */
  readonly after: bigint;
  /** Returns whether messages of a topic may be missing. */
  includes(topic: string): boolean;
}

/** What an engine reports to `Topics`. */
export interface EngineEvents {
  /** Reports a message that was published, here or in another process: each once, in the order of the log. */
  onEntry(entry: LogEntry): void;
  /**
   * Reports the log's epoch: once before `ready`, and again when a new log has replaced a lost one. The engine then
   * reports all messages of the new log.
   */
  onEpoch(epoch: string): void;
  /** Reports that the log removed messages before this process read them. Called before the next `onEntry`. */
  onGap(gap: LogGap): void;
  /**
   * Reports that the connection to the engine is lost. The engine reconnects by itself. It may call this again with
   * another kind of error.
   *
   * @param error An {@linkcode EngineError}: with `whileLost: "wait"`, calls wait until the engine has reconnected. Any
   * other error is a refusal of the server, such as for a wrong password: calls reject with it as their `cause`.
   */
  onLost(error: unknown): void;
  /** Reports that the engine has reconnected. */
  onRestored(): void;
  /** Reports that the engine has ended permanently, because its client was closed. */
  onClosed(error: unknown): void;
}

/** How a message is published. */
export interface LogPublishing {
  /** The user's id: the topic gets no second message with the same id. */
  readonly id: string | undefined;
  /** A token that all attempts to publish this message share. */
  readonly token: string;
  /** Whether there was an earlier attempt, which may have succeeded. */
  readonly isRetry: boolean;
  /** The highest position that was reported before the first attempt. */
  readonly after: bigint;
}

/** Where a message is in a log. */
export interface LogPlace {
  /** The log's epoch. */
  readonly epoch: string;
  /** The place in the log. */
  readonly position: bigint;
}

/** Which messages of a topic to read. */
export interface HistoryRange {
  /** The position after which to read; `null` reads the latest `last` messages. */
  readonly after: bigint | null;
  /** How many of the latest messages to read when `after` is `null`. */
  readonly last: number;
}

/** A part of a topic's history. The engine limits its size, so that it fits into memory. */
export interface HistoryPage {
  /** The log's epoch. */
  readonly epoch: string;
  /** The messages, the oldest first. */
  readonly entries: readonly Omit<LogEntry, "topic">[];
  /** Whether this is the last page: it reaches to {@linkcode end}. */
  readonly isLast: boolean;
  /** A position below all later messages of the topic. Only set when {@linkcode isLast} is true. */
  readonly end: bigint;
  /** Whether the log still has every message of the topic after `after`, and `after` is not beyond the log's end. */
  readonly isComplete: boolean;
}

/**
 * An open log. While the connection to the engine's server is lost, every method that needs it rejects with an
 * {@linkcode EngineError}.
 */
export interface EngineLog {
  /** Fulfils when the engine will report every message published from then on. Rejects when the engine has ended. */
  readonly ready: Promise<void>;
  /** Publishes a message. The promise fulfils when the engine has it. */
  publish(topic: string, message: Message, publishing: LogPublishing): Promise<LogPlace>;
  /** Reads messages of a topic. */
  history(topic: string, range: HistoryRange): Promise<HistoryPage>;
  /**
   * Announces a text at a topic: `announced` returns it in all processes until the lease ends.
   *
   * @param topic The topic.
   * @param slot The announcement's name; a later one of the same name replaces it.
   * @param text The text; `null` ends the announcement.
   */
  announce(topic: string, slot: string, text: string | null): Promise<void>;
  /** Returns the texts that are announced at a topic. */
  announced(topic: string): Promise<string[]>;
  /** Detaches from the log. The user's client stays open. */
  close(): Promise<void>;
}
