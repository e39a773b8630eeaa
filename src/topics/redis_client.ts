import { messageOf } from "../realm/kinds.ts";
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
 * A connected client of npm `redis` (5 or later) or `ioredis` (5 or later). Only what tells them apart is named here, so
 * that the packages' own types fit, whatever their version.
 */
export type RedisClient =
  | { readonly isOpen: boolean; readonly isReady: boolean }
  | { readonly status: string };

/** One connection to Redis, which doesn't connect again. */
export interface RedisConnection {
  /** Sends a command; rejects with an {@linkcode EngineError} when the connection is lost. */
  command(...args: string[]): Promise<unknown>;
  /** Ends it: commands without an answer reject. */
  destroy(): void;
}

/** Whether the user's client was closed for good. */
export function isClosed(client: RedisClient): boolean {
  return "isOpen" in client ? !client.isOpen : client.status === "end";
}

/** Whether it is a client of a package that is known. */
export function isRedisClient(client: unknown): client is RedisClient {
  const known = (client ?? {}) as Partial<NodeRedisClient & IoRedisClient>;
  // Clients of a cluster, and pools, take other arguments.
  if (typeof known.duplicate !== "function" || known.isCluster === true || "slots" in known) {
    return false;
  }
  return typeof known.isOpen === "boolean" && typeof known.isReady === "boolean" &&
      typeof known.sendCommand === "function" ||
    typeof known.status === "string" && typeof known.call === "function";
}

/**
 * Opens a connection of its own, with the settings of the user's client. Neither package is to connect again by itself,
 * or to send a command a second time: the engine decides that.
 *
 * @param onEnd The connection has ended, or is about to.
 */
export async function openConnection(
  client: RedisClient,
  onEnd: (error: unknown) => void,
): Promise<RedisConnection> {
  return "isOpen" in client
    ? await openNodeRedis(client as NodeRedisClient, onEnd)
    : await openIoRedis(client as IoRedisClient, onEnd);
}

async function openNodeRedis(
  client: NodeRedisClient,
  onEnd: (error: unknown) => void,
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
  return await opened(own, onEnd, {
    command: (...args) => asked(() => own.sendCommand(args)),
    destroy,
  });
}

async function openIoRedis(
  client: IoRedisClient,
  onEnd: (error: unknown) => void,
): Promise<RedisConnection> {
  const own = client.duplicate({
    lazyConnect: true,
    retryStrategy: () => null,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: null,
    enableOfflineQueue: false,
    keyPrefix: "",
  });
  return await opened(own, onEnd, {
    command: (command, ...args) => asked(() => own.call(command as string, ...args)),
    destroy: () => own.disconnect(),
  });
}

async function opened(
  client: AnyClient,
  onEnd: (error: unknown) => void,
  connection: RedisConnection,
): Promise<RedisConnection> {
  client.on("error", onEnd);
  client.on("end", () => onEnd(new EngineError("The connection to Redis has ended")));
  try {
    await client.connect();
  } catch (error) {
    connection.destroy();
    throw new EngineError("Cannot connect to Redis", { cause: error });
  }
  return connection;
}

/** Errors of the server's that pass. */
const PASSING = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|UNBLOCKED)\b/;
/** What an error of the server's begins with: `ERR`, `OOM`, `NOSCRIPT`. The packages' own errors don't. */
const REPLY = /^[A-Z]{3,}\b/;

async function asked(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    const message = messageOf(error);
    if (REPLY.test(message) && !PASSING.test(message)) throw error;
    throw new EngineError("The connection to Redis is lost", { cause: error });
  }
}
