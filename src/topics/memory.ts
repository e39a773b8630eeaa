import type { Message } from "../web_socket/web_socket_channel.ts";
import { CountedQueue } from "../stream_channel/counted_queue.ts";
import type {
  EngineEvents,
  EngineLog,
  EngineSettings,
  HistoryPage,
  HistoryRange,
  LogEntry,
  LogPlace,
  LogPublishing,
  TopicsEngine,
} from "./engine.ts";
import { randomName } from "./offset.ts";
import { PAGE } from "./page_size.ts";

/** A message, and when it was published. */
interface Kept extends LogEntry {
  readonly at: number;
}

/** What is kept of one topic. */
interface MemoryTopic {
  /** The messages, the oldest first; `null` in place of those that were removed. */
  entries: (Kept | null)[];
  /** The index of the first message. */
  head: number;
  /** The highest position that was removed. */
  removed: bigint;
  /** The places of messages that were published with an id; `null`: there were none. */
  ids: Map<string, { readonly position: bigint; readonly at: number }> | null;
}

/** The log of one process. Several `Topics` may share it. */
class MemoryEngine implements TopicsEngine {
  readonly #epoch = randomName();
  readonly #logs: Set<MemoryLog> = new Set<MemoryLog>();
  readonly #topics: Map<string, MemoryTopic> = new Map<string, MemoryTopic>();
  readonly #announced: Map<string, Map<string, { text: string; until: number }>> = new Map();
  #position = 0n;
  /** The highest position of a topic of which nothing is kept. */
  #forgotten = 0n;
  /** When topics were last looked through for what is too old. */
  #swept = -Infinity;

  open(events: EngineEvents, settings: EngineSettings): EngineLog {
    const log = new MemoryLog(this, events, settings);
    this.#logs.add(log);
    events.onEpoch(this.#epoch);
    return log;
  }

  detach(log: MemoryLog): void {
    this.#logs.delete(log);
  }

  publish(
    topic: string,
    message: Message,
    { id }: LogPublishing,
    { size, age, clock }: EngineSettings,
  ): LogPlace {
    const now = clock.now();
    this.#sweep(now, age);
    const kept = this.#topicOf(topic);
    if (id !== undefined) {
      const ids = kept.ids ??= new Map();
      const known = ids.get(id);
      if (known !== undefined && known.at >= now - age) {
        return { epoch: this.#epoch, position: known.position };
      }
      // Ids stay in the order of their times.
      ids.delete(id);
      ids.set(id, { position: this.#position + 1n, at: now });
    }
    const entry: Kept = { topic, message, position: ++this.#position, at: now };
    kept.entries.push(entry);
    this.#trim(kept, size, now - age);
    this.#report(entry);
    return { epoch: this.#epoch, position: entry.position };
  }

  /** All logs get messages in one order, also where a listener publishes. */
  readonly #toReport = new CountedQueue<LogEntry>();
  #isReporting = false;

  #report(entry: LogEntry): void {
    this.#toReport.push(entry);
    if (this.#isReporting) return;
    this.#isReporting = true;
    try {
      while (this.#toReport.length > 0) {
        const next = this.#toReport.shift();
        for (const log of this.#logs) log.events.onEntry(next);
      }
    } finally {
      this.#isReporting = false;
    }
  }

  #topicOf(topic: string): MemoryTopic {
    let kept = this.#topics.get(topic);
    if (kept === undefined) {
      kept = { entries: [], head: 0, removed: this.#forgotten, ids: null };
      this.#topics.set(topic, kept);
    }
    return kept;
  }

  #trim(kept: MemoryTopic, size: number, oldest: number): void {
    const { entries, ids } = kept;
    while (kept.head < entries.length) {
      const first = entries[kept.head] as Kept;
      if (entries.length - kept.head <= size && first.at >= oldest) break;
      kept.removed = first.position;
      entries[kept.head++] = null;
    }
    // The others are moved seldom enough to cost nothing a message.
    if (kept.head > 64 && 2 * kept.head > entries.length || kept.head === entries.length) {
      kept.entries = entries.slice(kept.head);
      kept.head = 0;
    }
    if (ids === null) return;
    for (const [id, { at }] of ids) {
      if (at >= oldest) break;
      ids.delete(id);
    }
    if (ids.size === 0) kept.ids = null;
  }

  /** Topics of which nothing is left are forgotten: names may be of one use. */
  #sweep(now: number, age: number): void {
    if (now - this.#swept < age) return;
    this.#swept = now;
    for (const [name, kept] of this.#topics) {
      this.#trim(kept, Infinity, now - age);
      if (kept.entries.length > 0 || kept.ids !== null) continue;
      if (kept.removed > this.#forgotten) this.#forgotten = kept.removed;
      this.#topics.delete(name);
    }
    for (const [name, slots] of this.#announced) this.#live(name, slots, now);
  }

  history(
    topic: string,
    { after, last }: HistoryRange,
    { size, age, clock }: EngineSettings,
  ): HistoryPage {
    const kept = this.#topics.get(topic);
    if (kept !== undefined) this.#trim(kept, size, clock.now() - age);
    const all = kept === undefined ? [] : kept.entries.slice(kept.head) as Kept[];
    const from = after === null
      ? Math.max(all.length - last, 0)
      : all.findIndex(({ position }) => position > after);
    const entries = from < 0 ? [] : all.slice(from, from + PAGE);
    const removed = kept?.removed ?? this.#forgotten;
    return {
      epoch: this.#epoch,
      entries,
      isLast: from < 0 || from + PAGE >= all.length,
      end: this.#position,
      isComplete: after === null || after >= removed && after <= this.#position,
    };
  }

  announce(topic: string, slot: string, text: string | null, settings: EngineSettings): void {
    const slots = this.#announced.get(topic) ?? new Map();
    const now = settings.clock.now();
    if (text === null) slots.delete(slot);
    else slots.set(slot, { text, until: now + settings.lease });
    this.#announced.set(topic, slots);
    this.#live(topic, slots, now);
  }

  announced(topic: string, { clock }: EngineSettings): string[] {
    const slots = this.#announced.get(topic);
    if (slots === undefined) return [];
    this.#live(topic, slots, clock.now());
    return [...slots.values()].map(({ text }) => text);
  }

  #live(topic: string, slots: Map<string, { text: string; until: number }>, now: number): void {
    for (const [slot, { until }] of slots) if (until <= now) slots.delete(slot);
    if (slots.size === 0) this.#announced.delete(topic);
  }
}

/** What one `Topics` has of the log. */
class MemoryLog implements EngineLog {
  readonly events: EngineEvents;
  readonly ready: Promise<void> = Promise.resolve();
  readonly #engine: MemoryEngine;
  readonly #settings: EngineSettings;

  constructor(engine: MemoryEngine, events: EngineEvents, settings: EngineSettings) {
    this.#engine = engine;
    this.events = events;
    this.#settings = settings;
  }

  publish(topic: string, message: Message, publishing: LogPublishing): Promise<LogPlace> {
    return Promise.resolve(this.#engine.publish(topic, message, publishing, this.#settings));
  }

  history(topic: string, range: HistoryRange): Promise<HistoryPage> {
    return Promise.resolve(this.#engine.history(topic, range, this.#settings));
  }

  announce(topic: string, slot: string, text: string | null): Promise<void> {
    this.#engine.announce(topic, slot, text, this.#settings);
    return Promise.resolve();
  }

  announced(topic: string): Promise<string[]> {
    return Promise.resolve(this.#engine.announced(topic, this.#settings));
  }

  close(): Promise<void> {
    this.#engine.detach(this);
    return Promise.resolve();
  }
}

/**
 * Creates the engine of one process, which keeps the log in its memory. Several `Topics` of the process may share it.
 * When the process ends, the log is lost.
 *
 * @returns An engine with an empty log.
 *
 * @example
 * ```ts
 * import { memory, Topics } from "@web-socket/channel/topics";
 *
 * const topics = new Topics({ engine: memory(), history: { size: 100, age: 60_000 } });
 * const { offset } = await topics.publish("news", "hello");
 * await topics.close();
 * ```
 */
export function memory(): TopicsEngine {
  return new MemoryEngine();
}
