/**
 * Servers for tests, each with one behaviour, mostly a misbehaviour. They listen on loopback
 * only and need no timer. All values of their interface are plain JSON, so that a test in
 * a browser page can drive them over HTTP.
 */

import type { RecipeEvent, RecipeEventKind, RecipeEventOf } from "./recipe_events.ts";
import { politeRecipes } from "./polite_recipes.ts";
import { listen } from "./recipe_server.ts";
import { rudeRecipes } from "./rude_recipes.ts";

export type * from "./recipe_events.ts";
export { statsWhenIdle } from "./recipe_stats.ts";

/** The behaviour of a recipe's server. */
export type RecipeName =
  // With npm `ws`: well-behaved servers.
  /** Echoes every message with its kind. */
  | "echo"
  /** As echo, but closes on the text `close`: 3001 "you asked me to". */
  | "echo-close"
  /** Only reports the received messages. */
  | "watch"
  /** On any message closes: 4123 "server closed the connection". */
  | "close"
  /** Sends `count` (10,000) times `text` ("Hello World!") at once. */
  | "flood"
  /** Sends "hello!"; on "ping" sends "pong" and closes: 3678 "raisin". */
  | "greeting"
  /** On "ping" sends "pong". */
  | "pong-close-watch"
  /** As echo, but answers the upgrade request only after `release()`. */
  | "slow-upgrade"
  /** Sends `messages`, then closes if there is a `code`. Waits before that if `wait` is set. */
  | "push"
  /** Sends `count` (1) pings of `text` ("ping"), and echoes. Waits before that if `wait` is set. */
  | "ping"
  // Over bare TCP: misbehaviour that a correct client must handle.
  /** Upgrades, sends a Close with code 4123 and the reason FF (no UTF-8), then ends TCP. */
  | "bad-utf8"
  /** Upgrades, then destroys the TCP connection. */
  | "destroy"
  /** Upgrades, then sends a line of ASCII text; leaves TCP open. */
  | "garbage"
  /**
   * Answers the request with `status` (200), `headers` and `body`, or with an unchanged `response`, then
   * sends `repeat` forever if it is set, then ends, or does what `then` specifies.
   */
  | "http"
  /**
   * Upgrades with the subprotocol of the URL's query `protocol` or of `protocol`, or with none,
   * whatever was offered; echoes one message, then closes: 1000.
   */
  | "proto"
  /** Accepts the TCP connection, reads, never answers. */
  | "silent"
  /** Accepts the TCP connection and ends it at once, or does what `then` specifies. */
  | "accept-then-end"
  /** Upgrades, echoes; never answers a Close, nor a Ping, nor the end of TCP. */
  | "never-close"
  /** Upgrades, echoes; answers a Close (with `code`, if given), but leaves TCP open. */
  | "close-keeps-tcp"
  /** Upgrades, sends a Close (4123 "server closed the connection"), but leaves TCP open. */
  | "server-close-keeps-tcp"
  /** Upgrades with a subprotocol (`protocol`, "unoffered.example") that the client did not offer; echoes. */
  | "unoffered-protocol"
  /** Upgrades without a subprotocol, even if the client offers some; echoes. */
  | "no-protocol"
  /** Answers 101 with a Sec-WebSocket-Accept for another key; leaves TCP open. */
  | "bad-accept"
  /** Answers 101 without Sec-WebSocket-Accept; leaves TCP open. */
  | "no-accept"
  /** Upgrades; on the client's Close first sends `messages` ("late"), then answers it. */
  | "messages-after-close"
  /**
   * Upgrades; sends "first ", a Ping with `text` ("between"), and "second" as one fragmented
   * message; then echoes.
   */
  | "ping-between-fragments"
  /**
   * Upgrades (with `headers`), sends `frames`, then `repeat` forever if it is set, then does what `then`
   * specifies. Answers nothing unless `answers` is set.
   */
  | "raw"
  /**
   * Upgrades; sends texts of `size` (65536) bytes as fast as the client reads: their numbers
   * from 0 with leading zeros. Stops after `count` of them (default: no limit) and closes: 1000. Answers a
   * Close.
   */
  | "flood-until-blocked"
  /** Upgrades; reads nothing until `release()`, then everything. Answers a Close. */
  | "sink";

/** A message to send: text, or bytes in hexadecimal. */
export type RecipeMessage = string | { hex: string };

/** The options of recipes. Each recipe supports the options that its description names, and `wait`. */
export interface RecipeOptions {
  /** The close code the recipe sends. */
  code?: number;
  /** The close reason the recipe sends. */
  reason?: string;
  text?: string;
  messages?: RecipeMessage[];
  count?: number;
  size?: number;
  /** The subprotocol to choose; with npm `ws` only if it was offered, else the first offered one. */
  protocol?: string;
  /** More headers of the response. */
  headers?: Record<string, string>;
  /** Whether to agree to permessage-deflate, with which parameters (those of npm `ws`). */
  compression?: boolean | {
    threshold?: number;
    serverNoContextTakeover?: boolean;
    clientNoContextTakeover?: boolean;
    serverMaxWindowBits?: number;
    clientMaxWindowBits?: number;
  };
  status?: number;
  body?: string;
  /**
   * A complete response with one byte per character. `{accept}` stands for the correct value of
   * Sec-WebSocket-Accept.
   */
  response?: string;
  /** In hexadecimal; may contain spaces. */
  frames?: string;
  /** The data to send forever: frames in hexadecimal for "raw", text for "http". */
  repeat?: string;
  /**
   * Sends in pieces of this many bytes, each in a turn of its own: for "raw" and "http". "raw" also cuts
   * the 101 at its beginning, together with the frames.
   */
  pieces?: number;
  /** Whether "raw" answers Close and Ping. */
  answers?: boolean;
  /** The event to wait for after the upgrade: the client's first message, or `release()`. */
  wait?: "none" | "data" | "release";
  /**
   * How the TCP connection ends. A reset together with data may look
   * like an ordinary end on Node 20.
   */
  then?: "open" | "end" | "destroy" | "reset";
  /** Whether to omit the events of messages: for large ones. */
  quiet?: boolean;
}

/** Numbers of a recipe's server, over all its connections. */
export interface RecipeStats {
  /** TCP connections accepted so far. */
  connections: number;
  /** The TCP connections that aren't closed in both directions. */
  open: number;
  /** Bytes that the operating system has accepted for sending, including heads. */
  bytesSent: number;
  /** Written bytes that it hasn't accepted. */
  bytesPending: number;
  /** Received bytes, including heads. */
  bytesReceived: number;
}

/** A running recipe. */
export interface RecipeServer {
  /** `ws://127.0.0.1:PORT`, without a slash at its end. */
  readonly url: string;
  /**
   * Returns the next event in the queue, or the next one of a kind (events of other kinds stay
   * in the queue). Rejects once the server is closed.
   */
  next(): Promise<RecipeEvent>;
  next<K extends RecipeEventKind>(kind: K): Promise<RecipeEventOf<K>>;
  /** The events in the queue. They stay queued. */
  queued(): Promise<RecipeEvent[]>;
  /** Resumes one waiting recipe, or the next one that will wait. */
  release(): void;
  /** The numbers, after the server's event loop has read and written. */
  stats(): Promise<RecipeStats>;
  /** Ends everything at once. Fulfils when every connection is closed. */
  close(): Promise<void>;
}

/** Starts a server on loopback, on a free port. */
export function startRecipe(name: RecipeName, options: RecipeOptions = {}): Promise<RecipeServer> {
  const recipe = { ...politeRecipes, ...rudeRecipes }[name];
  if (recipe === undefined) throw new RangeError(`No such recipe: ${String(name)}`);
  return listen(recipe, options);
}

/** Runs a body against a recipe, and ends the recipe's server, even if the body throws. */
export async function withRecipe(
  name: RecipeName,
  options: RecipeOptions,
  body: (server: RecipeServer) => Promise<void>,
): Promise<void> {
  const server = await startRecipe(name, options);
  try {
    await body(server);
  } finally {
    await server.close();
  }
}
