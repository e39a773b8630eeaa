/** The chat example's room, over a bus whose answers come when the test says so. */

import { assertEquals } from "@std/assert";
import type { Bus, ChatEvent } from "../../examples/chat/bus.ts";
import { localBus } from "../../examples/chat/bus.ts";
import type { Said } from "../../examples/chat/messages.ts";
import { Room } from "../../examples/chat/room.ts";
import type { ServerWebSocketChannel } from "../../src/server/mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { deferred } from "../support/promises.ts";

function said(id: string): Said {
  return { id, from: "anonymous", text: `text ${id}`, at: 0 };
}

/** A guest who is served, and what it receives: what kind, and the ids. */
function guest(room: Room): { next: () => Promise<string[]>; close: () => Promise<void> } {
  const { client, server } = webSocketChannelPair();
  const served = room.serve(server as ServerWebSocketChannel);
  return {
    async next() {
      for (;;) {
        const { value } = await client.stream.next();
        const { kind, history, said } = JSON.parse(String(value));
        if (kind === "welcome") return [kind, ...history.map(({ id }: Said) => id)];
        if (kind === "said") return [kind, said.id];
      }
    },
    async close() {
      await client.sink.close();
      await served;
    },
  };
}

/** A bus that isn't this process's alone: others say things on it, and it answers late. */
class LateBus implements Bus {
  readonly asked = deferred();
  readonly #bus = localBus();
  readonly #answer = deferred();
  #callback = (_event: ChatEvent): void => {};
  #history: Said[] = [];
  publish = (event: ChatEvent): Promise<void> => this.#bus.publish(event);
  nextGuest = (): Promise<number> => this.#bus.nextGuest();
  close = (): Promise<void> => this.#bus.close();

  subscribe(callback: (event: ChatEvent) => void): Promise<void> {
    this.#callback = callback;
    return this.#bus.subscribe(callback);
  }

  async history(): Promise<Said[]> {
    this.asked.resolve();
    await this.#answer.promise;
    return this.#history;
  }

  answer(...history: Said[]): void {
    this.#history = history;
    this.#answer.resolve();
  }

  tell(it: Said): void {
    this.#callback({ kind: "said", said: it });
  }
}

Deno.test("example chat: what is said while a guest is welcomed is seen, in order", async () => {
  const bus = new LateBus();
  const room = new Room(bus);
  await room.open();
  const { next, close } = guest(room);
  await bus.asked.promise;
  // The answer holds the first, which has arrived as well, and lacks the second.
  bus.tell(said("b"));
  bus.tell(said("c"));
  bus.answer(said("a"), said("b"));
  assertEquals(await next(), ["welcome", "a", "b", "c"]);
  bus.tell(said("d"));
  assertEquals(await next(), ["said", "d"]);
  await close();
});

Deno.test("example chat: what is said in the very turn of the welcome is seen", async () => {
  // However many microtasks it comes behind the answer: once in the history or behind it, never lost.
  for (let microtasks = 0; microtasks < 20; microtasks++) {
    const bus = new LateBus();
    const room = new Room(bus);
    await room.open();
    const { next, close } = guest(room);
    await bus.asked.promise;
    bus.answer(said("a"));
    for (let i = 0; i < microtasks; i++) await Promise.resolve();
    bus.tell(said("b"));
    const welcome = await next();
    if (welcome.length === 2) {
      assertEquals([welcome, await next()], [["welcome", "a"], ["said", "b"]]);
    } else assertEquals(welcome, ["welcome", "a", "b"]);
    await close();
  }
});
