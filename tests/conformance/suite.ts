/**
 * The frame of the conformance suite: what a behaviour's tests get, and how they are cleaned up.
 *
 * Each behaviour is a file that registers its tests on a {@linkcode Suite}; {@linkcode
 * testWebSocketChannel} in mod.ts runs all of them against one implementation.
 */

import { assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import type { CloseInfo, ConnectOptions, WebSocketChannel } from "../../mod.ts";
import {
  type RecipeName,
  type RecipeOptions,
  type RecipeServer,
  startRecipe,
} from "../support/recipes.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { nextMessage } from "../support/events.ts";

/** The implementation under test. */
export interface ChannelFactory {
  /** Connects, as `WebSocketChannel.connect` does. */
  connect(url: string, options?: ConnectOptions): WebSocketChannel;
  /** What differs between implementations by their nature, and what each one does. */
  readonly traits: Traits;
  /** Starts the servers; left out: in this process. */
  startRecipe?: (name: RecipeName, options?: RecipeOptions) => Promise<RecipeServer>;
  /** Registers a test; left out: `Deno.test`. */
  test?: (name: string, body: () => Promise<void>) => void;
}

/** What an implementation can't choose, because its platform decides. */
export interface Traits {
  /** It is our own RFC 6455 implementation, not the platform's. */
  readonly ownProtocol: boolean;
  /** It sends every close code that RFC 6455 allows. */
  readonly allCloseCodes: boolean;
  /** It sends header fields of the user's. */
  readonly headers: boolean;
  /** A refused handshake's HTTP status is reported. */
  readonly tellsStatus: boolean;
  /** A wrong or missing `Sec-WebSocket-Accept` fails the connection. */
  readonly checksAccept: boolean;
  /** The peer's Close is noticed before TCP ends. */
  readonly seesCloseBeforeTcpEnds: boolean;
  /** A byte order mark at the start of a text is kept. */
  readonly keepsByteOrderMark: boolean;
  /** The answer to a peer that ends right behind its Close may be lost. */
  readonly mayLoseAnswer?: boolean;
}

/** Those of our own implementation, which is the same on every platform. */
export const OWN_TRAITS: Traits = {
  ownProtocol: true,
  allCloseCodes: true,
  headers: true,
  checksAccept: true,
  tellsStatus: true,
  seesCloseBeforeTcpEnds: true,
  keepsByteOrderMark: true,
};

/** A channel connected to a recipe. */
export interface Exchange {
  readonly server: RecipeServer;
  readonly channel: WebSocketChannel;
}

/** What a test gets. */
export interface Context {
  readonly traits: Traits;
  /** Starts a recipe that ends with the test. */
  start(name: RecipeName, options?: RecipeOptions): Promise<RecipeServer>;
  /** Connects a channel that ends with the test. */
  connect(url: string, options?: ConnectOptions): WebSocketChannel;
  /** Starts a recipe and connects to it; the channel may still be connecting. */
  meet(name: RecipeName, options?: RecipeOptions, connect?: ConnectOptions): Promise<Exchange>;
  /** As {@linkcode meet}, and waits until the channel is open. */
  open(name: RecipeName, options?: RecipeOptions, connect?: ConnectOptions): Promise<Exchange>;
}

/** Registers tests against one implementation. */
export interface Suite {
  readonly traits: Traits;
  test(name: string, body: (context: Context) => Promise<void>): void;
}

/** The longest a test may take before it counts as one that hangs, in milliseconds. */
const WATCHDOG = 30_000;

/** Makes the suite of one implementation. */
export function createSuite(name: string, factory: ChannelFactory): Suite {
  const register = factory.test ?? ((title, body) => Deno.test(title, body));
  return {
    traits: factory.traits,
    test: (title, body) =>
      register(
        `${name}: ${title}`,
        () => assertNoUncaught(() => deadline(run(factory, body), WATCHDOG)),
      ),
  };
}

async function run(
  factory: ChannelFactory,
  body: (context: Context) => Promise<void>,
): Promise<void> {
  const channels: WebSocketChannel[] = [];
  const servers: RecipeServer[] = [];
  const start = async (name: RecipeName, options?: RecipeOptions): Promise<RecipeServer> => {
    const server = await (factory.startRecipe ?? startRecipe)(name, options);
    servers.push(server);
    return server;
  };
  const connect = (url: string, options?: ConnectOptions): WebSocketChannel => {
    const channel = factory.connect(url, options);
    channels.push(channel);
    return channel;
  };
  const meet: Context["meet"] = async (name, options, connectOptions) => {
    const server = await start(name, options);
    return { server, channel: connect(server.url, connectOptions) };
  };
  const open: Context["open"] = async (...args) => {
    const exchange = await meet(...args);
    await exchange.channel.ready;
    return exchange;
  };
  try {
    await body({ traits: factory.traits, start, connect, meet, open });
  } finally {
    for (const channel of channels) channel.terminate();
    for (const server of servers) await server.close();
    for (const channel of channels) await channel.closed;
  }
}

/** All that a channel's stream gives until its end. */
export interface Collected {
  readonly messages: (string | Uint8Array)[];
  readonly errors: unknown[];
  /** `closeCode` and `closeReason`, as they were when the stream ended. */
  readonly closeCode: number | null;
  readonly closeReason: string | null;
}

/** Reads a channel's stream to its end. */
export function collect(channel: WebSocketChannel): Promise<Collected> {
  const messages: (string | Uint8Array)[] = [];
  const errors: unknown[] = [];
  return new Promise((resolve) => {
    channel.stream.listen((message) => messages.push(message), {
      onError: (error) => errors.push(error),
      onDone: () => {
        const { closeCode, closeReason } = channel;
        resolve({ messages, errors, closeCode, closeReason });
      },
    });
  });
}

/** Sends a message to an echoing server and expects it back. */
export async function assertEchoes(channel: WebSocketChannel, message: string): Promise<void> {
  channel.sink.add(message);
  assertEquals(await nextMessage(channel), message);
}

/** `closed`, without what is of no interest: its error. */
export async function closing(channel: WebSocketChannel): Promise<Omit<CloseInfo, "error">> {
  const { error: _error, ...info } = await channel.closed;
  return info;
}
