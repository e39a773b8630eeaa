import { isPromiseLike, nameOf } from "../realm/kinds.ts";
import type { ServerRequest } from "./server_request.ts";

/** Where a reported error came from. */
export interface ErrorContext {
  /**
   * The origin of the error:
   *
   * - `"hosts"`, `"origin"`, `"verify"`, `"protocols"`, `"headers"`, `"compression"`, `"handler"`, `"onRequest"`,
   *   `"rateLimit"` or `"clientAddress"`: the function of that option failed.
   * - `"handshakeTimeout"`: these functions took longer than that.
   * - `"listen"`: the listening socket failed.
   * - `"attach"`: another listener has taken an upgrade on the path of an attached server, or a stream of
   *   `acceptStreams`.
   * - `"stream"`: the queue of received messages has been full for `closeTimeout`, and nothing has started to read it.
   */
  readonly where: string;
  /** The request that the error is about; `null` if there is none. */
  readonly request: ServerRequest | null;
}

/** The type of `onError`: gets the errors that functions of the options throw, and faults of the server itself. */
export type ErrorHook = (error: unknown, context: ErrorContext) => void;

/**
 * Reports an error to the user's hook.
 *
 * @param hook The hook; if it is `undefined`, the error is printed.
 * @param error The error.
 * @param context Where it came from.
 */
export function report(
  hook: ErrorHook | undefined,
  error: unknown,
  context: ErrorContext,
): void {
  const { where, request } = context;
  // An abort caused by the client's leaving is no fault, such as of `fetch(…, { signal: request.signal })`.
  if (request?.signal.aborted && isAbort(error, request.signal)) return;
  if (hook === undefined) print(where, error);
  else tell("onError", () => hook(error, context));
}

/**
 * Calls a hook of the user's, and prints what it throws.
 *
 * @param name The name of the option.
 * @param call A function that calls the hook.
 */
export function tell(name: string, call: () => unknown): void {
  try {
    const result = call();
    if (isPromiseLike<unknown>(result)) result.then(undefined, (it: unknown) => print(name, it));
  } catch (fault) {
    print(name, fault);
  }
}

/**
 * Reports that the functions of the options did not decide about a request in time.
 *
 * @param hook The user's hook, as for {@linkcode report}.
 * @param ms The exceeded limit, in milliseconds.
 * @param request The request.
 */
export function reportLate(hook: ErrorHook | undefined, ms: number, request: ServerRequest): void {
  const message = "Cannot answer the request: the functions of the options took longer than " +
    `handshakeTimeout, ${ms} ms`;
  report(hook, new DOMException(message, "TimeoutError"), { where: "handshakeTimeout", request });
}

function isAbort(error: unknown, { reason }: AbortSignal): boolean {
  return error === reason || nameOf(error) === "AbortError";
}

/** The only place where the package prints: without an `onError` the error would be lost. */
function print(where: string, error: unknown): void {
  const what = `WebSocket server: ${where} failed:`;
  try {
    console.error(what, error);
  } catch {
    // Its getters or its custom inspection throw, or it is a revoked `Proxy`.
    console.error(what, "an error that can't be printed");
  }
}

/**
 * Why an upgrade is refused:
 *
 * - `"malformed"`: the request is no valid WebSocket handshake (400, 405, 426 or 505).
 * - `"host"`, `"origin"`, `"verify"`: the option `hosts`, `origin` or `verify` does not admit the client.
 * - `"error"`: a function of the options failed (500); `onError` gets the error.
 * - `"timeout"`: the decision took longer than `handshakeTimeout` (503).
 * - `"path"`: the request's path is not the server's `path` (404).
 * - `"full"`: there are `maxConnections` already (503).
 * - `"address"`: its address already has `maxConnectionsPerAddress` (429).
 * - `"rate"`: more connections have begun than `connectionRate` allows, from its address (429) or in total (503).
 * - `"closing"`: the server or the channel is closing, or `signal` has aborted (503).
 */
export type RefusalReason =
  | "malformed"
  | "host"
  | "origin"
  | "verify"
  | "error"
  | "timeout"
  | "path"
  | "full"
  | "address"
  | "rate"
  | "closing";

/** A refused upgrade, as `onRefused` gets it. */
export interface RefusedUpgrade {
  /** The refused request. */
  readonly request: ServerRequest;
  /** The HTTP status that the client gets. */
  readonly status: number;
  /** The reason. */
  readonly reason: RefusalReason;
}

/** The type of `onRefused`: gets each upgrade that is refused. */
export type RefusedHook = (refused: RefusedUpgrade) => void;

/** Reports a refusal to the user's hook. */
export function reportRefused(hook: RefusedHook | undefined, refused: RefusedUpgrade): void {
  if (hook !== undefined) tell("onRefused", () => hook(refused));
}
