/**
 * The conformance suite with both ends in memory, without the cases that need a
 * network, a handshake or a misbehaving peer.
 */

import { assert } from "@std/assert";
import { delay } from "@std/async";
import type { ConnectOptions, WebSocketChannel } from "../../mod.ts";
import { faultyPair } from "../../src/testing/faulty_pair.ts";
import {
  type WebSocketChannelPair,
  webSocketChannelPair,
  type WebSocketChannelPairOptions,
} from "../../src/testing/web_socket_channel_pair.ts";
import { OWN_TRAITS, testWebSocketChannel } from "../conformance/mod.ts";
import { reportClose, type ServerRecipe, serverRecipes } from "../server/server_recipes.ts";
import { type RecipeEventKind, RecipeEvents } from "../support/recipe_events.ts";
import type {
  RecipeEvent,
  RecipeName,
  RecipeOptions,
  RecipeServer,
  RecipeStats,
} from "../support/recipes.ts";
import { testSeed } from "../support/random.ts";

/** The test needs something that a pair in memory does not have, so it does not apply. */
class NotInMemory extends Error {}

/** Tests with these options are about opening a connection. */
const OF_CONNECTING = ["headers", "signal", "connectTimeout", "compression", "require"] as const;

/** The events of a connection that only a server on a network sees. */
const OF_TCP: readonly (RecipeEventKind | undefined)[] = ["request", "end", "reset", "disconnect"];

/** A recipe that serves channels in memory. */
class MemoryRecipe implements RecipeServer {
  readonly url: string;
  readonly options: RecipeOptions;
  readonly #recipe: ServerRecipe;
  readonly #events = new RecipeEvents();
  #release: () => void = () => {};
  readonly #released: Promise<void> = new Promise((resolve) => this.#release = resolve);

  constructor(url: string, recipe: ServerRecipe, options: RecipeOptions) {
    this.url = url;
    this.#recipe = recipe;
    this.options = options;
  }

  async run(channel: WebSocketChannel): Promise<void> {
    const host = {
      options: this.options,
      report: (event: RecipeEvent) => {
        if (event.kind !== "message" || this.options.quiet !== true) this.#events.push(event);
      },
      released: () => this.#released,
    };
    const server = channel as Parameters<ServerRecipe>[0];
    void reportClose(server, host);
    await this.#recipe(server, host);
  }

  // deno-lint-ignore no-explicit-any
  next(kind?: RecipeEventKind): Promise<any> {
    if (OF_TCP.includes(kind)) return Promise.reject(new NotInMemory());
    return this.#events.next(kind);
  }

  queued(): Promise<RecipeEvent[]> {
    return Promise.resolve(this.#events.queued());
  }

  release(): void {
    this.#release();
  }

  /** Returns constant numbers after a turn in which the channels can read and write. */
  async stats(): Promise<RecipeStats> {
    await delay(0);
    return { connections: 1, open: 1, bytesSent: 0, bytesPending: 0, bytesReceived: 0 };
  }

  close(): Promise<void> {
    this.#events.end();
    return Promise.resolve();
  }
}

/** Tests about opening a connection, or about the platform's reaction to it. */
const ABOUT_CONNECTING = [
  "C45 S97",
  "C19 (changed)",
  "C44",
  "C64 C65",
  "attack 16",
  "malformed arguments",
  "open waits",
  "C33",
  "C34",
];

function testPair(
  name: string,
  make: (options: WebSocketChannelPairOptions) => WebSocketChannelPair,
): void {
  const recipes = new Map<string, MemoryRecipe>();
  const servers: WebSocketChannel[] = [];
  let ran = 0;

  const connect = (url: string, options: ConnectOptions = {}): WebSocketChannel => {
    const recipe = recipes.get(url);
    if (recipe === undefined || OF_CONNECTING.some((it) => options[it] !== undefined)) {
      throw new NotInMemory();
    }
    const { protocols = [], closeTimeout, highWaterMark, maxMessageSize, streamLargerThan } =
      options;
    const { client, server } = make({
      closeTimeout,
      highWaterMark,
      protocol: recipe.options.protocol ?? [protocols].flat()[0],
      client: { maxMessageSize, streamLargerThan },
    });
    servers.push(server);
    void recipe.run(server);
    return client;
  };

  testWebSocketChannel(name, {
    traits: OWN_TRAITS,
    connect,
    startRecipe(recipeName: RecipeName, options: RecipeOptions = {}) {
      const recipe = serverRecipes[recipeName];
      if (recipe === undefined) throw new NotInMemory();
      const server = new MemoryRecipe(`ws://memory.example/${recipes.size}`, recipe, options);
      recipes.set(server.url, server);
      return Promise.resolve(server);
    },
    test(title, body) {
      if (ABOUT_CONNECTING.some((it) => title.includes(it))) return;
      Deno.test(title, async () => {
        try {
          await body();
          ran++;
        } catch (error) {
          if (!(error instanceof NotInMemory)) throw error;
        } finally {
          for (const server of servers.splice(0)) server.terminate();
        }
      });
    },
  });

  Deno.test(`${name}: C37 most of the suite ran`, () => {
    assert(ran >= 45, `only ${ran} tests did`);
  });
}

testPair("pair in memory", webSocketChannelPair);
testPair(
  "pair in memory, split",
  (options) => faultyPair({ ...options, seed: testSeed(), split: [1, 20_000] }),
);
testPair(
  "pair in memory, in single bytes and odd pieces, late",
  (options) => faultyPair({ ...options, seed: testSeed(), split: [1, 70_000], delay: [0, 1] }),
);
