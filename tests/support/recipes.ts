/**
 * Servers for tests, each of them good at one thing: most at misbehaving. They listen on loopback
 * only, need no timer, and everything that crosses their interface is plain JSON, so that a test in
 * a browser page can drive them over HTTP.
 */

import type { RecipeEvent, RecipeEventKind, RecipeEventOf } from "./recipe_events.ts";
import { politeRecipes } from "./polite_recipes.ts";
import { listen } from "./recipe_server.ts";
import { rudeRecipes } from "./rude_recipes.ts";

export type * from "./recipe_events.ts";
export { statsWhenIdle } from "./recipe_stats.ts";

/** What a recipe's server does. */
export type RecipeName =
  // With npm `ws`: what a well-behaved server does.
  /** Sends every message back as the same kind. */
  | "echo"
  /** As echo, but the text `close` makes it close: 3001 "you asked me to". */
  | "echo-close"
  /** Only reports what it gets. */
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
  /** Sends `messages`; closes then if there is a `code`. Waits before, if `wait` says so. */
  | "push"
  /** Sends `count` (1) pings of `text` ("ping"), and echoes. Waits before, if `wait` says so. */
  | "ping"
  // By hand, over TCP: what a correct client must live with.
  /** Upgrades, sends a Close with code 4123 and the reason FF (no UTF-8), then ends TCP. */
  | "bad-utf8"
  /** Upgrades, then destroys the TCP connection. */
  | "destroy"
  /** Upgrades, then sends a line of ASCII text; leaves TCP open. */
  | "garbage"
  /**
   * Answers the request with `status` (200), `headers` and `body`, or with `response` as it is, then
   * sends `repeat` forever if given, then ends (or does as `then` says).
   */
  | "http"
  /**
   * Upgrades with the subprotocol of the URL's query `protocol` or of `protocol`, or with none,
   * whatever was offered; echoes one message, then closes: 1000.
   */
  | "proto"
  /** Accepts the TCP connection, reads, never answers. */
  | "silent"
  /** Accepts the TCP connection and ends it at once (or does as `then` says). */
  | "accept-then-end"
  /** Upgrades, echoes; never answers a Close, nor a Ping, nor the end of TCP. */
  | "never-close"
  /** Upgrades, echoes; answers a Close (with `code`, if given), but leaves TCP open. */
  | "close-keeps-tcp"
  /** Upgrades, sends a Close (4123 "server closed the connection"), but leaves TCP open. */
  | "server-close-keeps-tcp"
  /** Upgrades with a subprotocol (`protocol`, "unoffered.example") that the client did not offer; echoes. */
  | "unoffered-protocol"
  /** Upgrades without a subprotocol, also when the client offers some; echoes. */
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
   * Upgrades (with `headers`), sends `frames`, then `repeat` forever if given, then does as `then`
   * says. Answers nothing, unless `answers`.
   */
  | "raw"
  /**
   * Upgrades; sends texts of `size` (65536) bytes as fast as the client takes them: their numbers
   * from 0 with leading zeros. Stops after `count` (without end) of them and closes: 1000. Answers a
   * Close.
   */
  | "flood-until-blocked"
  /** Upgrades; reads nothing until `release()`, then all. Answers a Close. */
  | "sink";

/** A message to send: text, or bytes in hexadecimal. */
export type RecipeMessage = string | { hex: string };

/** The options of recipes. Each recipe takes what its description names, and `wait`. */
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
   * A whole response, one byte a character, in which `{accept}` becomes the right value of
   * Sec-WebSocket-Accept.
   */
  response?: string;
  /** In hexadecimal, spaces allowed. */
  frames?: string;
  /** What to send forever: frames in hexadecimal for "raw", text for "http". */
  repeat?: string;
  /**
   * Sends in pieces of so many bytes, each in a turn of its own: for "raw" and "http". The 101 that
   * "raw" begins with is then cut up as well, as if it were one with the frames.
   */
  pieces?: number;
  /** Whether "raw" answers Close and Ping. */
  answers?: boolean;
  /** What to wait for before going on after the upgrade: the client's first message, `release()`. */
  wait?: "none" | "data" | "release";
  /**
   * What becomes of the TCP connection in the end. A reset that comes together with data may look
   * like an ordinary end on Node 20.
   */
  then?: "open" | "end" | "destroy" | "reset";
  /** Whether to keep quiet about messages: for large ones. */
  quiet?: boolean;
}

/** Numbers of a recipe's server, over all its connections. */
export interface RecipeStats {
  /** TCP connections accepted so far. */
  connections: number;
  /** Those of them that aren't closed in both directions. */
  open: number;
  /** Bytes the operating system has taken for sending, heads included. */
  bytesSent: number;
  /** Bytes written that it hasn't taken. */
  bytesPending: number;
  /** Bytes received, heads included. */
  bytesReceived: number;
}

/** A running recipe. */
export interface RecipeServer {
  /** `ws://127.0.0.1:PORT`, without a slash at its end. */
  readonly url: string;
  /**
   * The next event that wasn't handed out yet, or the next one of a kind (those of other kinds stay
   * in the queue). Rejects once the server is closed.
   */
  next(): Promise<RecipeEvent>;
  next<K extends RecipeEventKind>(kind: K): Promise<RecipeEventOf<K>>;
  /** The events that no caller has taken yet; they stay queued. */
  queued(): Promise<RecipeEvent[]>;
  /** Lets one recipe that waits go on, or the next one that will wait. */
  release(): void;
  /** The numbers, after the server's event loop has had an occasion to read and to write. */
  stats(): Promise<RecipeStats>;
  /** Ends everything at once; fulfils when nothing is left. */
  close(): Promise<void>;
}

/** Starts a server on loopback, at a port of the system's choice. */
export function startRecipe(name: RecipeName, options: RecipeOptions = {}): Promise<RecipeServer> {
  const recipe = { ...politeRecipes, ...rudeRecipes }[name];
  if (recipe === undefined) throw new RangeError(`No such recipe: ${String(name)}`);
  return listen(recipe, options);
}

/** Runs a body against a recipe, and ends the recipe's server, also when the body throws. */
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
