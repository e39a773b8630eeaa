/**
 * The base of the conformance suite: it gives each test its context, and cleans up after it.
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
  /** Connects like `WebSocketChannel.connect`. */
  connect(url: string, options?: ConnectOptions): WebSocketChannel;
  /** How this implementation behaves where platforms differ. */
  readonly traits: Traits;
  /** Starts a test's server. Default: in this process. */
  startRecipe?: (name: RecipeName, options?: RecipeOptions) => Promise<RecipeServer>;
  /** Registers a test. Default: `Deno.test`. */
  test?: (name: string, body: () => Promise<void>) => void;
}

/** Behaviour that the platform decides, not this package. */
export interface Traits {
  /** Whether this is our own RFC 6455 implementation, not the platform's. */
  readonly ownProtocol: boolean;
  /** Whether it sends every close code that RFC 6455 allows. */
  readonly allCloseCodes: boolean;
  /** Whether it sends the user's header fields. */
  readonly headers: boolean;
  /** Whether it reports the HTTP status of a refused handshake. */
  readonly tellsStatus: boolean;
  /** Whether a wrong or missing `Sec-WebSocket-Accept` fails the connection. */
  readonly checksAccept: boolean;
  /** Whether it notices the peer's Close before TCP ends. */
  readonly seesCloseBeforeTcpEnds: boolean;
  /** Whether it keeps a byte order mark at the start of a text. */
  readonly keepsByteOrderMark: boolean;
  /** Whether its answer may be lost when the peer ends TCP right after its Close. */
  readonly mayLoseAnswer?: boolean;
}

/** The traits of our own implementation, which are the same on every platform. */
export const OWN_TRAITS: Traits = {
  ownProtocol: true,
  allCloseCodes: true,
  headers: true,
  checksAccept: true,
  tellsStatus: true,
  seesCloseBeforeTcpEnds: true,
  keepsByteOrderMark: true,
};

/** A channel and the recipe's server that it connects to. */
export interface Exchange {
  readonly server: RecipeServer;
  readonly channel: WebSocketChannel;
}

/** The context of a test. */
export interface Context {
  readonly traits: Traits;
  /** Starts a recipe that ends with the test. */
  start(name: RecipeName, options?: RecipeOptions): Promise<RecipeServer>;
  /** Connects a channel that ends with the test. */
  connect(url: string, options?: ConnectOptions): WebSocketChannel;
  /** Starts a recipe and connects to it; the channel may still be connecting. */
  meet(name: RecipeName, options?: RecipeOptions, connect?: ConnectOptions): Promise<Exchange>;
  /** Like {@linkcode meet}, and waits until the channel is open. */
  open(name: RecipeName, options?: RecipeOptions, connect?: ConnectOptions): Promise<Exchange>;
}

/** Registers tests against one implementation. */
export interface Suite {
  readonly traits: Traits;
  test(name: string, body: (context: Context) => Promise<void>): void;
}

/** Maximum time of a test in milliseconds; a longer one counts as hanging. */
const WATCHDOG = 30_000;

/** Creates the suite of one implementation. */
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

/** Everything that a channel's stream emits until its end. */
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

/** `closed` without its error, which these tests don't compare. */
export async function closing(channel: WebSocketChannel): Promise<Omit<CloseInfo, "error">> {
  const { error: _error, ...info } = await channel.closed;
  return info;
}
