// The chat itself: who is there, what is said, who is typing. It knows nothing of pages or of Redis.

import { broadcast, type ServerWebSocketChannel } from "@web-socket/channel/server";
import type { Bus, ChatEvent } from "./bus.ts";
import { type FromServer, parseFromPage, type Said } from "./messages.ts";

/** One server's part of the chat. */
export class Room {
  readonly #bus: Bus;
  /** What this server calls itself among the others. */
  readonly #id: string = crypto.randomUUID();
  readonly #here = new Map<ServerWebSocketChannel, string>();
  readonly #people = new Map<string, readonly string[]>();
  /** What is said while a guest waits for the history: a list for each such guest. */
  readonly #meanwhile = new Set<Said[]>();

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Begins to take part. */
  async open(): Promise<void> {
    await this.#bus.subscribe((event) => this.#onEvent(event));
    await this.#bus.publish({ kind: "hello" });
  }

  /** Serves one page until it is gone. */
  async serve(channel: ServerWebSocketChannel): Promise<void> {
    const name = `guest-${await this.#bus.nextGuest()}`;
    await this.#welcome(channel, name);
    await this.#tellPeople();
    try {
      for await (const message of channel.stream) await this.#onMessage(channel, name, message);
    } finally {
      this.#here.delete(channel);
      await this.#bus.publish({ kind: "typing", name, is: false });
      await this.#tellPeople();
    }
  }

  /**
   * Sends what was said up to this moment: from then on the guest gets what all get. The bus's answer is of
   * an earlier moment: it may lack what came from the bus meanwhile, and hold what is yet to come from there,
   * which the page knows by its id.
   */
  async #welcome(channel: ServerWebSocketChannel, name: string): Promise<void> {
    const meanwhile: Said[] = [];
    this.#meanwhile.add(meanwhile);
    try {
      const history = await this.#bus.history();
      const known = new Set(history.map(({ id }) => id));
      history.push(...meanwhile.filter(({ id }) => !known.has(id)));
      send(channel, { kind: "welcome", name, history });
      this.#here.set(channel, name);
    } finally {
      this.#meanwhile.delete(meanwhile);
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
      await this.#bus.publish({ kind: "typing", name, is: said.is });
    } else {
      await this.#bus.publish({
        kind: "said",
        said: { id: crypto.randomUUID(), from: name, text: said.text, at: Date.now() },
      });
    }
  }

  #onEvent(event: ChatEvent): void {
    if (event.kind === "hello") return void this.#tellPeople();
    if (event.kind === "people") {
      this.#people.set(event.server, event.names);
      const names = [...this.#people.values()].flat();
      return this.#tellAll({ kind: "people", names });
    }
    if (event.kind === "said") { for (const said of this.#meanwhile) said.push(event.said); }
    this.#tellAll(event);
  }

  /** Framed once for all; who can't keep up is closed, and may connect again. */
  #tellAll(message: FromServer): void {
    broadcast(this.#here.keys(), JSON.stringify(message));
  }

  async #tellPeople(): Promise<void> {
    const names = [...this.#here.values()];
    await this.#bus.publish({ kind: "people", server: this.#id, names });
  }
}

function send(channel: ServerWebSocketChannel, message: FromServer): void {
  channel.sink.add(JSON.stringify(message));
}
