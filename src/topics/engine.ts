import type { Clock } from "../web_socket/clock.ts";
import type { Message } from "../web_socket/web_socket_channel.ts";

/**
 * Where topics keep their messages: a log that one process has, or that many processes share.
 *
 * An engine of your own implements this interface; `engineTests` of `./topics/testing` checks it.
 */
export interface TopicsEngine {
  /**
   * Attaches to the log. It returns at once; `Topics` waits for `ready` of what it returns.
   *
   * @param events What the engine reports.
   * @param settings What the log is to keep.
   */
  open(events: EngineEvents, settings: EngineSettings): EngineLog;
}

/** What a log is to keep, and whose time counts. */
export interface EngineSettings {
  /** How many messages of each topic are kept at least. */
  readonly size: number;
  /** How long a message is kept, in milliseconds. */
  readonly age: number;
  /** How long an announcement lasts that isn't renewed, in milliseconds. */
  readonly lease: number;
  /** Where times come from that aren't the engine's server's. */
  readonly clock: Clock;
}

/** A message in the log. */
export interface LogEntry {
  /** The topic that it was published to. */
  readonly topic: string;
  /** The message. Bytes belong to the entry: they don't change. */
  readonly message: Message;
  /** Its place in the log: a later message of the same topic has a higher one. Above 0. */
  readonly position: bigint;
}

/** Messages that may be lost to live readers: the log no longer had them when it was read. */
export interface LogGap {
  /** The last position that was reported before the gap. */
  readonly after: bigint;
  /** Whether messages of this topic may be among them. */
  includes(topic: string): boolean;
}

/** What an engine reports to `Topics`. */
export interface EngineEvents {
  /** A message was published, here or in another process. In the order of the log, each once. */
  onEntry(entry: LogEntry): void;
  /**
   * The log's epoch: once before `ready`, and whenever another log has taken the place of the one before, which is
   * lost. All messages of the new log are reported.
   */
  onEpoch(epoch: string): void;
  /** Messages were removed from the log before this process has read them. Called before the next `onEntry`. */
  onGap(gap: LogGap): void;
  /**
   * The connection to the engine is lost. The engine connects again by itself.
   *
   * @param error An {@linkcode EngineError}: calls wait until the connection is back, if `whileLost` says so. Anything else
   * is a refusal of the server, such as a wrong password: calls reject with it as their `cause`. May be called again with
   * another kind of error.
   */
  onLost(error: unknown): void;
  /** The connection is back. */
  onRestored(): void;
  /** The engine has ended for good: its client was closed. */
  onClosed(error: unknown): void;
}

/** How a message is published. */
export interface LogPublishing {
  /** The user's id: another message of the topic with the same id isn't published. */
  readonly id: string | undefined;
  /** The same for all attempts to publish this message. */
  readonly token: string;
  /** Whether an attempt was made before, which may have succeeded. */
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
  /** Those behind this position; `null`: the latest `last` ones. */
  readonly after: bigint | null;
  /** How many of the latest messages, where `after` is `null`. */
  readonly last: number;
}

/** A part of a topic's history. An engine returns as much as is fit to be in memory at once. */
export interface HistoryPage {
  /** The log's epoch. */
  readonly epoch: string;
  /** The messages, the oldest first. */
  readonly entries: readonly Omit<LogEntry, "topic">[];
  /** Whether there are no others: all messages of the topic up to {@linkcode end} were read. */
  readonly isLast: boolean;
  /** A position that no later message of the topic is at or below. Only where {@linkcode isLast}. */
  readonly end: bigint;
  /** Whether every message of the topic behind `after` is still there, and `after` is not beyond the log's end. */
  readonly isComplete: boolean;
}

/**
 * An open log. Every method that asks the engine's server rejects with an {@linkcode EngineError} while the connection is lost.
 */
export interface EngineLog {
  /** Fulfils when every message that is published from then on will be reported. Rejects when the engine has ended. */
  readonly ready: Promise<void>;
  /** Publishes a message; fulfils when the engine has it. */
  publish(topic: string, message: Message, publishing: LogPublishing): Promise<LogPlace>;
  /** Reads messages of a topic. */
  history(topic: string, range: HistoryRange): Promise<HistoryPage>;
  /**
   * Shows a text to all who read `announced` of this topic, for the length of the lease.
   *
   * @param topic The topic.
   * @param slot The announcement's name; a later one of the same name replaces it.
   * @param text The text; `null` ends the announcement.
   */
  announce(topic: string, slot: string, text: string | null): Promise<void>;
  /** The texts that are announced at a topic. */
  announced(topic: string): Promise<string[]>;
  /** Detaches. The user's client stays open. */
  close(): Promise<void>;
}
