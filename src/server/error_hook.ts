import { isPromiseLike, nameOf } from "../realm/kinds.ts";
import type { ServerRequest } from "./server_request.ts";

/** Where an error of the user's came from. */
export interface ErrorContext {
  /**
   * The option whose function failed: `"hosts"`, `"origin"`, `"verify"`, `"protocols"`, `"headers"`,
   * `"compression"`, `"handler"`, `"onRequest"`, `"rateLimit"` or `"clientAddress"`; `"handshakeTimeout"` if they took longer than that; `"listen"` if it was the
   * socket that listens; `"attach"` if another listener has taken an upgrade of an attached server's path; `"stream"` if the
   * queue of received messages has been full for `closeTimeout` and nothing has begun to read it.
   */
  readonly where: string;
  /** The request that it was about; `null` if there is none. */
  readonly request: ServerRequest | null;
}

/** Gets the errors that a server's own functions throw. */
export type ErrorHook = (error: unknown, context: ErrorContext) => void;

/**
 * Reports an error of the user's.
 *
 * @param hook Who gets it; `undefined`: it is printed.
 * @param error The error.
 * @param context Where it came from.
 */
export function report(
  hook: ErrorHook | undefined,
  error: unknown,
  context: ErrorContext,
): void {
  const { where, request } = context;
  // What fails since the client has left is no fault: `fetch(…, { signal: request.signal })` does.
  if (request?.signal.aborted && isAbort(error, request.signal)) return;
  if (hook === undefined) print(where, error);
  else tell("onError", () => hook(error, context));
}

/**
 * Calls a hook of the user's. One that fails harms nothing: what it throws is printed.
 *
 * @param name The option that it is.
 * @param call Calls it.
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
 * Reports that the user's functions did not decide about a request in time.
 *
 * @param hook Who gets it; see {@linkcode report}.
 * @param ms How long they could take, in milliseconds.
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

/** The one place where the package prints: without an `onError` the error would be lost otherwise. */
function print(where: string, error: unknown): void {
  const what = `WebSocket server: ${where} failed:`;
  try {
    console.error(what, error);
  } catch {
    // Its getters throw, its own inspection does, or it is a revoked `Proxy`.
    console.error(what, "an error that can't be printed");
  }
}

/**
 * Why an upgrade is refused:
 *
 * - `"malformed"`: it is no correct request for a WebSocket (400, 405, 426 or 505).
 * - `"host"`, `"origin"`, `"verify"`: the option of that name didn't let it in.
 * - `"error"`: a function of the options has failed (500); `onError` has the error.
 * - `"timeout"`: the decision took longer than `handshakeTimeout` (503).
 * - `"path"`: it is not the server's `path` (404).
 * - `"full"`: there are `maxConnections` already (503).
 * - `"address"`: there are `maxConnectionsPerAddress` already of its address (429).
 * - `"rate"`: more have begun than `connectionRate` allows, of its address (429) or in all (503).
 * - `"closing"`: the server or the channel is being closed, or `signal` has aborted (503).
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

/** An upgrade that was refused. */
export interface RefusedUpgrade {
  /** The request. */
  readonly request: ServerRequest;
  /** The HTTP status that the client gets. */
  readonly status: number;
  /** Why. */
  readonly reason: RefusalReason;
}

/** Gets each upgrade that is refused. */
export type RefusedHook = (refused: RefusedUpgrade) => void;

/** Reports a refusal. */
export function reportRefused(hook: RefusedHook | undefined, refused: RefusedUpgrade): void {
  if (hook !== undefined) tell("onRefused", () => hook(refused));
}
