import { FULFILLED } from "../stream_channel/errors.ts";
import type { Clock } from "../web_socket/clock.ts";
import { randomName } from "./offset.ts";

/** A member of a topic: a subscriber with `presence`, in any process. */
export interface TopicMember {
  /** The id of the member, unique among all members. */
  readonly id: string;
  /** The subscriber's option `presence`. */
  readonly metadata: unknown;
}

/** Shows a slot's text for the length of the lease; `null` ends that. */
export type Announce = (topic: string, slot: string, text: string | null) => Promise<void>;

/** How many members one announcement has: when a member joins or leaves, the announcement is sent again. */
const SLOT_SIZE = 100;
/** How many characters: a server has a limit for one message, 1 MiB in NATS. */
const SLOT_LENGTH = 100_000;
/** How many times a lease is renewed before it would end. */
const RENEWALS = 3;

/** An announcement of this process: some of its members of a topic. */
interface Slot {
  readonly topic: string;
  readonly name: string;
  readonly members: Map<string, string>;
  length: number;
  isDirty: boolean;
  writing: Promise<void> | null;
}

/** The members of this process, announced to all processes again and again. */
export class Presence {
  readonly #process = randomName();
  readonly #announce: Announce;
  readonly #clock: Clock;
  readonly #period: number;
  readonly #slots: Map<string, Slot[]> = new Map<string, Slot[]>();
  #count = 0;
  #slotCount = 0;
  #memberCount = 0;
  #timer: unknown;
  #isClosed = false;

  /** Creates it without members. */
  constructor(announce: Announce, lease: number, clock: Clock) {
    this.#announce = announce;
    this.#clock = clock;
    this.#period = Math.max(Math.floor(lease / RENEWALS), 1);
  }

  /** How many members this process has. */
  get size(): number {
    return this.#memberCount;
  }

  /**
   * Adds a member.
   *
   * @returns Removes it; and a promise that fulfils when it was announced, or could not be.
   */
  enter(topic: string, metadata: string): { leave: () => void; announced: Promise<void> } {
    const slots = this.#slots.get(topic) ?? [];
    this.#slots.set(topic, slots);
    let slot = slots.find(({ members, length }) =>
      members.size < SLOT_SIZE && length + metadata.length < SLOT_LENGTH
    );
    if (slot === undefined) {
      const name = `${this.#process}_${(++this.#slotCount).toString(36)}`;
      slot = { topic, name, members: new Map(), length: 0, isDirty: false, writing: null };
      slots.push(slot);
    }
    const own = slot;
    const id = `${this.#process}_${(++this.#count).toString(36)}`;
    own.members.set(id, `{"id":"${id}","metadata":${metadata}}`);
    own.length += metadata.length;
    this.#memberCount++;
    this.#plan();
    const leave = (): void => {
      if (!own.members.delete(id)) return;
      own.length -= metadata.length;
      this.#memberCount--;
      void this.#write(own);
    };
    return { leave, announced: this.#write(own) };
  }

  /** Announces all members again: the engine may have lost them. */
  renew(): void {
    for (const slots of this.#slots.values()) for (const slot of slots) void this.#write(slot);
  }

  /** Forgets all members: they can't be taken away now, and their lease ends. */
  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#isClosed = true;
  }

  /** Takes all members away. */
  async close(): Promise<void> {
    this.#clock.clearTimeout(this.#timer);
    const slots = [...this.#slots.values()].flat();
    for (const { members } of slots) members.clear();
    await Promise.all(slots.map((slot) => this.#write(slot)));
    this.#isClosed = true;
  }

  #plan(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      if (this.#slots.size === 0) return;
      this.renew();
      this.#plan();
    }, this.#period);
  }

  #write(slot: Slot): Promise<void> {
    if (this.#isClosed) return FULFILLED;
    slot.isDirty = true;
    return slot.writing ??= this.#writeAll(slot);
  }

  async #writeAll(slot: Slot): Promise<void> {
    // Those that come and go in one turn are announced together.
    await FULFILLED;
    while (slot.isDirty) {
      slot.isDirty = false;
      const { topic, name, members } = slot;
      const text = members.size === 0 ? null : `[${[...members.values()].join(",")}]`;
      try {
        await this.#announce(topic, name, text);
        if (text === null && members.size === 0) this.#forget(slot);
      } catch {
        // The next renewal tries again.
        break;
      }
    }
    slot.writing = null;
  }

  #forget(slot: Slot): void {
    const slots = this.#slots.get(slot.topic)?.filter((it) => it !== slot) ?? [];
    if (slots.length === 0) this.#slots.delete(slot.topic);
    else this.#slots.set(slot.topic, slots);
  }
}

/** The members in announced texts. What makes no sense is left out: others write there too. */
export function membersIn(texts: readonly string[]): TopicMember[] {
  return texts.flatMap((text) => {
    try {
      const members: unknown = JSON.parse(text);
      return Array.isArray(members) ? members.filter(isMember) : [];
    } catch {
      return [];
    }
  });
}

function isMember(it: unknown): it is TopicMember {
  return typeof (it as TopicMember | null)?.id === "string";
}
