// The chat itself: who is there, what is said, who is typing. It knows nothing of pages or of Redis.

import { broadcast, type ServerWebSocketChannel } from "@web-socket/channel/server";
import type { Bus, ChatEvent } from "./bus.ts";
import { type FromServer, parseFromPage } from "./messages.ts";

/** One server's part of the chat. */
export class Room {
  readonly #bus: Bus;
  /** What this server calls itself among the others. */
  readonly #id: string = crypto.randomUUID();
  readonly #here = new Map<ServerWebSocketChannel, string>();
  readonly #people = new Map<string, readonly string[]>();

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
    send(channel, { kind: "welcome", name, history: await this.#bus.history() });
    this.#here.set(channel, name);
    await this.#tellPeople();
    try {
      for await (const message of channel.stream) await this.#onMessage(channel, name, message);
    } finally {
      this.#here.delete(channel);
      await this.#bus.publish({ kind: "typing", name, is: false });
      await this.#tellPeople();
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
        said: { from: name, text: said.text, at: Date.now() },
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
