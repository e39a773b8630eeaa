import { HeaderMap } from "../handshake/header_map.ts";
import { readTarget } from "../handshake/request_target.ts";
import { refuse } from "../handshake/server_handshake.ts";
import { ignore } from "../stream_channel/errors.ts";
import { shown } from "../stream_channel/options.ts";
import type { Clock } from "../web_socket/clock.ts";
import { report, reportLate } from "./error_hook.ts";
import { foreignHost, isHostAllowed } from "./hosts.ts";
import type { HttpRequest, HttpResponse } from "./http_server.ts";
import { inTime } from "./in_time.ts";
import { isAdmitted, refusalResponse } from "./refusals.ts";
import type { ServerSettings } from "./server_options.ts";
import { clientLeft, SocketRemote, UpgradeServerRequest } from "./server_request.ts";

/** Answers an HTTP request that isn't an upgrade. */
export type RequestHandler = (request: Request) => Response | Promise<Response>;

/** Options of {@linkcode answerRequest}. */
export interface PlainRequestOptions
  extends Pick<ServerSettings, "hosts" | "handshakeTimeout" | "onError"> {
  /** The user's handler. If it throws, the client gets 500 and `onError` gets the error. */
  readonly handler: RequestHandler;
  /** Whether requests arrive over TLS. */
  readonly secure: boolean;
  /** The clock that limits how long the function `hosts` may take. */
  readonly clock: Clock;
}

/**
 * Answers a request of `node:http` with a handler that takes a `Request` and returns a `Response`.
 *
 * @param message The request.
 * @param response The response to write to.
 * @param options The handler, and which hosts it serves.
 */
export async function answerRequest(
  message: HttpRequest,
  response: HttpResponse,
  options: PlainRequestOptions,
): Promise<void> {
  const { handler, secure, onError } = options;
  const body: Body = { failure: null };
  const asked = askedFor(message, secure);
  response.once("close", () => {
    if (!response.writableEnded) asked?.giveUp();
  });
  try {
    const refusal = asked === null ? null : await foreign(asked, options);
    const request = asked === null ? null : requestOf(message, asked, body);
    const answer = refusal ?? (request === null ? badRequest() : checked(await handler(request)));
    await send(answer, response, message.method === "HEAD");
  } catch (error) {
    // A client that leaves while sending its body is no fault of the handler.
    const isOurs = body.failure !== null && error === body.failure.error;
    if (!isOurs) report(onError, error, { where: "onRequest", request: asked });
    if (response.headersSent) response.destroy();
    else await send(failed(), response, false);
  }
}

/** Parses a request; returns `null` when its target or its Host is malformed. */
function askedFor(message: HttpRequest, secure: boolean): UpgradeServerRequest | null {
  const { method, url = "/", httpVersion: version, rawHeaders, socket } = message;
  // `*` asks about the server as a whole (RFC 9112 §3.2.4).
  const target = method === "OPTIONS" && url === "*" ? "/" : url;
  const goal = readTarget({ target, version, headers: HeaderMap.ofRaw(rawHeaders) });
  if (goal === null) return null;
  const scheme = secure ? "https" : "http";
  const remote = new SocketRemote(socket, scheme);
  return new UpgradeServerRequest(`${scheme}://${goal.host}${goal.path}`, rawHeaders, remote);
}

/** Returns the refusal of a request whose host isn't allowed; `null` if it is. */
function foreign(
  request: UpgradeServerRequest,
  options: PlainRequestOptions,
): Response | null | Promise<Response | null> {
  const decision = decideHost(request, options);
  if (typeof options.hosts !== "function") return decision;
  const { handshakeTimeout: ms, clock, onError } = options;
  const giveUp = (isLate: boolean): Response => {
    if (isLate) reportLate(onError, ms, request);
    request.giveUp();
    return refusalResponse(refuse(503));
  };
  return inTime(decision, { ms, clock, signal: request.signal, giveUp });
}

async function decideHost(
  request: UpgradeServerRequest,
  { hosts, onError }: PlainRequestOptions,
): Promise<Response | null> {
  const { host } = request.url;
  try {
    if (isAdmitted("hosts", await isHostAllowed(host, request, hosts))) return null;
    return refusalResponse(foreignHost(host, hosts));
  } catch (error) {
    report(onError, error, { where: "hosts", request });
    return failed();
  }
}

function failed(): Response {
  return new Response("Internal Server Error\n", { status: 500 });
}

function badRequest(): Response {
  return new Response("Bad Request\n", { status: 400, headers: { Connection: "close" } });
}

/** The state of a request's body. */
interface Body {
  /** The error, when the client left before it had sent the whole body. */
  failure: { readonly error: unknown } | null;
}

/** Creates the `Request`; returns `null` where `fetch` doesn't allow it, such as for the method TRACE. */
function requestOf(
  message: HttpRequest,
  { url, signal }: UpgradeServerRequest,
  body: Body,
): Request | null {
  const { method = "GET", rawHeaders } = message;
  const headers = new Headers();
  const hasBody = method !== "GET" && method !== "HEAD";
  try {
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      headers.append(rawHeaders[i] as string, rawHeaders[i + 1] as string);
    }
    const more = hasBody ? { body: bodyOf(message, body), duplex: "half" } : {};
    return new Request(url, { method, headers, signal, ...more });
  } catch {
    return null;
  }
}

function bodyOf(message: HttpRequest, body: Body): ReadableStream<Uint8Array> {
  const chunks = message[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { value, done } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(new Uint8Array(value));
      } catch (error) {
        body.failure = { error };
        throw error;
      }
    },
    async cancel() {
      await chunks.return?.();
    },
  });
}

/** Checks that the handler's answer, a `Response` of any realm, can be sent completely. */
function checked(answer: Response): Response {
  const fault = faultOf(answer);
  if (fault === null) return answer;
  throw new TypeError(`Cannot use the answer of onRequest: ${fault}`);
}

function faultOf(answer: unknown): string | null {
  const { status, headers, bodyUsed, body } = (answer ?? {}) as Partial<Response>;
  if (typeof status !== "number" || typeof headers?.entries !== "function") {
    return `it must be a Response, got ${shown(answer)}`;
  }
  if (status < 200 || status > 599) return `its status must be from 200 to 599, got ${status}`;
  return bodyUsed || body?.locked ? "its body is already used" : null;
}

async function send(answer: Response, response: HttpResponse, headOnly: boolean): Promise<void> {
  if (response.destroyed) return await answer.body?.cancel(clientLeft());
  const fields: string[] = [];
  for (const [name, value] of answer.headers) fields.push(name, value);
  // By default a `Response` has no reason phrase, and `node:http` writes the usual one.
  if (answer.statusText !== "") response.statusMessage = answer.statusText;
  response.writeHead(answer.status, fields);
  if (answer.body === null || headOnly) {
    await answer.body?.cancel();
    response.end();
    return;
  }
  const reader = answer.body.getReader();
  let cancelled: Promise<void> | undefined;
  // The client may leave while the body produces nothing.
  const cancel = (): void => {
    cancelled = reader.cancel(clientLeft());
    cancelled.catch(ignore);
  };
  response.once("close", cancel);
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    if (!response.write(value)) await room(response);
  }
  response.removeListener("close", cancel);
  await cancelled;
  response.end();
}

/** Fulfils when the response has room, or the client has left. */
function room(response: HttpResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.removeListener("drain", done);
      response.removeListener("close", done);
      resolve();
    };
    response.once("drain", done);
    response.once("close", done);
  });
}

/** Answers a plain request with 426 (RFC 9110 §15.5.22). */
export function upgradeRequired(): Response {
  return new Response("This address speaks WebSocket only\n", {
    status: 426,
    headers: { Connection: "close", Upgrade: "websocket", "Sec-WebSocket-Version": "13" },
  });
}
