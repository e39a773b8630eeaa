// The chat itself: who is there, what is said, who is typing. It knows nothing of pages or of Redis.

import { broadcast, type ServerWebSocketChannel } from "@web-socket/channel/server";
import type { Topics, Wrap } from "@web-socket/channel/topics";
import { type FromServer, guestName, parseFromPage } from "./messages.ts";

/** What was said: kept, and continued from an offset. */
const SAID = "said";
/** What is true for a moment only. */
const EVENTS = "events";
/** How many of the last things that were said a new page gets. */
const LAST = 100;
/** How often this server looks who is there: guests of a server that was killed leave without a word. */
const LOOK = 5000;

/** What was said, as pages get it. One function for all pages: it is called once for all of them. */
const withOffset: Wrap = (said, { offset }) =>
  `{"kind":"said","offset":${JSON.stringify(offset)},"said":${said}}`;

/** One server's part of the chat. */
export class Room {
  readonly #topics: Topics;
  readonly #here = new Set<ServerWebSocketChannel>();
  #people = "";
  #timer: ReturnType<typeof setInterval>;

  constructor(topics: Topics) {
    this.#topics = topics;
    this.#timer = setInterval(() => void this.#look().catch(() => {}), LOOK);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Serves one page until it is gone. */
  async serve(channel: ServerWebSocketChannel): Promise<void> {
    const { searchParams } = channel.request.url;
    const name = guestName(searchParams.get("name"));
    channel.sink.add(json({ kind: "welcome", name }));
    try {
      this.#here.add(channel);
      await this.#topics.subscribe(channel, SAID, {
        after: searchParams.get("after") ?? undefined,
        last: LAST,
        wrap: withOffset,
        presence: name,
        onState: ({ name }) => name === "resync" ? json({ kind: "resync" }) : undefined,
      });
      await this.#topics.subscribe(channel, EVENTS);
      await this.#tell(await this.#names());
      for await (const message of channel.stream) await this.#onMessage(channel, name, message);
    } catch {
      // The page has left meanwhile, or the server closes; else it may try again.
      channel.sink.close(1013, "Try again").catch(() => {});
    } finally {
      this.#here.delete(channel);
      await this.#leave(name).catch(() => {});
    }
  }

  async #onMessage(
    channel: ServerWebSocketChannel,
    name: string,
    message: string | Uint8Array,
  ): Promise<void> {
    const said = parseFromPage(message);
    if (said === null) {
      // 1008: the page breaks the rules of this chat.
      channel.sink.close(1008, "That makes no sense");
    } else if (said.kind === "typing") {
      await this.#tell({ kind: "typing", name, is: said.is });
    } else {
      const { id, text } = said;
      const entry = JSON.stringify({ id, from: name, text, at: Date.now() });
      await this.#topics.publish(SAID, entry, { id: `${name} ${id}` });
    }
  }

  /** Tells the pages of all servers. */
  async #tell(event: FromServer): Promise<void> {
    await this.#topics.publish(EVENTS, json(event));
  }

  async #leave(name: string): Promise<void> {
    await this.#tell({ kind: "typing", name, is: false });
    await this.#tell(await this.#names());
  }

  async #names(): Promise<FromServer> {
    const members = await this.#topics.presence(SAID);
    return { kind: "people", names: members.map(({ metadata }) => String(metadata)).sort() };
  }

  /** Tells the pages of this server, if others are there than before. */
  async #look(): Promise<void> {
    const people = json(await this.#names());
    if (people !== this.#people) broadcast(this.#here, people);
    this.#people = people;
  }
}

function json(message: FromServer): string {
  return JSON.stringify(message);
}
