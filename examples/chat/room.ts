// The chat itself: members, messages, and who is typing. It does not depend on pages or on Redis.

import { broadcast, type ServerWebSocketChannel } from "@web-socket/channel/server";
import type { Topics, Wrap } from "@web-socket/channel/topics";
import { type FromServer, guestName, parseFromPage } from "./messages.ts";

/** The topic of messages, which has a history. */
const SAID = "said";
/** The topic of events without a history, such as who is typing. */
const EVENTS = "events";
/** How many of the latest messages a new page gets. */
const LAST = 100;
/** How often this server reads the members, in milliseconds: a killed server does not report that its guests left. */
const LOOK = 5000;

/** A message as pages receive it. All pages share this function, so it runs once for each message. */
const withOffset: Wrap = (said, { offset }) =>
  `{"kind":"said","offset":${JSON.stringify(offset)},"said":${said}}`;

/** The part of the chat on one server. */
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
      // The page has left, or the server is closing. Otherwise, the page may try again.
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

  /** Sends an event to the pages of all servers. */
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

  /** Sends the members to the pages of this server if they have changed. */
  async #look(): Promise<void> {
    const people = json(await this.#names());
    if (people !== this.#people) broadcast(this.#here, people);
    this.#people = people;
  }
}

function json(message: FromServer): string {
  return JSON.stringify(message);
}
