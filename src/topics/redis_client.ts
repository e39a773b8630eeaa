import { messageOf } from "../realm/kinds.ts";
import { UnsupportedError } from "../web_socket/errors.ts";
import type { PendingAnswers } from "./pending_answers.ts";
import { EngineError } from "./topics_error.ts";

/** What the engine uses of a client, whichever package it is of. */
interface AnyClient {
  on(event: string, listener: (error: unknown) => void): unknown;
  connect(): Promise<unknown>;
}

/** A client of npm `redis`. */
interface NodeRedisClient extends AnyClient {
  readonly isOpen: boolean;
  readonly isReady: boolean;
  readonly options?: { readonly socket?: object | undefined } | undefined;
  duplicate(overrides?: object): NodeRedisClient;
  sendCommand(args: string[]): Promise<unknown>;
  destroy(): void;
}

/** A client of npm `ioredis`. */
interface IoRedisClient extends AnyClient {
  readonly status: string;
  readonly isCluster?: boolean | undefined;
  duplicate(overrides?: object): IoRedisClient;
  call(command: string, ...args: string[]): Promise<unknown>;
  disconnect(): void;
}

/**
 * A connected client of npm `redis` (5 or later) or `ioredis` (5 or later). The type has only the members that
 * distinguish the two, so that the types of all their versions fit.
 */
export type RedisClient =
  | { readonly isOpen: boolean; readonly isReady: boolean }
  | { readonly status: string };

/** One connection to Redis, which doesn't connect again. */
export interface RedisConnection {
  /**
   * Sends a command. Rejects with an {@linkcode EngineError} when the connection is lost, and with the server's error
   * when that refuses the command.
   */
  command(...args: string[]): Promise<unknown>;
  /** Ends it: commands without an answer reject. */
  destroy(): void;
}

/** How a connection that is to be opened can end. */
export interface ConnectionEvents {
  /** Rejects when the caller no longer waits for the connection to open. */
  readonly attempt: PendingAnswers;
  /** Called when the connection has ended, or is about to. */
  readonly onEnd: (error: unknown) => void;
}

/** Whether the user's client was closed for good. */
export function isClosed(client: RedisClient): boolean {
  return "isOpen" in client ? !client.isOpen : client.status === "end";
}

/** Whether it is a cluster's client, of either package. */
export function isClusterClient(client: unknown): boolean {
  if (typeof client !== "object" || client === null) return false;
  return (client as Partial<IoRedisClient>).isCluster === true ||
    "slots" in client && "duplicate" in client;
}

/** Whether it is a client of a package that is known, for one server. */
export function isRedisClient(client: unknown): client is RedisClient {
  const known = (client ?? {}) as Partial<NodeRedisClient & IoRedisClient>;
  if (typeof known.duplicate !== "function" || isClusterClient(client)) return false;
  return typeof known.isOpen === "boolean" && typeof known.isReady === "boolean" &&
      typeof known.sendCommand === "function" ||
    typeof known.status === "string" && typeof known.call === "function";
}

/**
 * Opens a connection of its own, with the settings of the user's client. Neither package is to connect again by itself,
 * or to send a command a second time: the engine decides that.
 */
export async function openConnection(
  client: RedisClient,
  events: ConnectionEvents,
): Promise<RedisConnection> {
  return "isOpen" in client
    ? await openNodeRedis(client as NodeRedisClient, events)
    : await openIoRedis(client as IoRedisClient, events);
}

async function openNodeRedis(
  client: NodeRedisClient,
  events: ConnectionEvents,
): Promise<RedisConnection> {
  const own = client.duplicate({
    socket: { ...client.options?.socket, reconnectStrategy: false },
    disableOfflineQueue: true,
  });
  const destroy = (): void => {
    try {
      own.destroy();
    } catch {
      // It is closed already.
    }
  };
  return await opened(own, events, {
    command: (...args) => asked(() => own.sendCommand(args)),
    destroy,
  });
}

async function openIoRedis(
  client: IoRedisClient,
  events: ConnectionEvents,
): Promise<RedisConnection> {
  const own = client.duplicate({
    lazyConnect: true,
    retryStrategy: () => null,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: null,
    enableOfflineQueue: false,
    keyPrefix: "",
  });
  return await opened(own, events, {
    command: (command, ...args) => asked(() => own.call(command as string, ...args)),
    destroy: () => own.disconnect(),
  });
}

async function opened(
  client: AnyClient,
  { attempt, onEnd }: ConnectionEvents,
  connection: RedisConnection,
): Promise<RedisConnection> {
  let reported: unknown;
  client.on("error", (error) => {
    reported ??= error;
    onEnd(error);
  });
  client.on("end", () => onEnd(new EngineError("The connection to Redis has ended")));
  try {
    await attempt.within(client.connect());
  } catch (error) {
    connection.destroy();
    // ioredis rejects with "Connection is closed", and reports the server's reason as an event.
    throw failureOf(isRefused(reported) ? reported : error, "Cannot connect to Redis");
  }
  return connection;
}

/** What an error of the server's begins with: `ERR`, `OOM`, `NOSCRIPT`. The packages' own errors don't. */
const REPLY = /^[A-Z]{3,}\b/;
/** Errors of the server's that pass. */
const PASSING =
  /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|UNBLOCKED|ERR max number of clients)\b/;

/** Whether the server refuses something, and would again. */
function isRefused(error: unknown): boolean {
  const message = messageOf(error);
  return REPLY.test(message) && !PASSING.test(message);
}

/** A refusal as it is; anything else is an {@linkcode EngineError}. */
function failureOf(error: unknown, text: string): unknown {
  if (!isRefused(error)) return new EngineError(text, { cause: error });
  return /^(MOVED|ASK|CROSSSLOT)\b/.test(messageOf(error)) ? noCluster() : error;
}

async function asked(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    throw failureOf(error, "The connection to Redis is lost");
  }
}

/** The error of a client of a cluster, and of one server of a cluster that lacks the log's slot. */
export function noCluster(): UnsupportedError {
  return new UnsupportedError(
    "Redis Cluster",
    "redisStreams",
    "Give it a client of one server that is in no cluster",
  );
}
