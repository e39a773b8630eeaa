import {
  checkResponse,
  type HandshakeAgreement,
  shownPhrase,
  startClientHandshake,
  USER_AGENT,
} from "../handshake/client_handshake.ts";
import { HandshakeError } from "../handshake/handshake_error.ts";
import { NONCE_LENGTH } from "../handshake/accept_key.ts";
import type { ClientCompressionOptions } from "../permessage_deflate/compression_options.ts";
import type { HeaderMap } from "../handshake/header_map.ts";
import type { ResponseHead } from "../handshake/http_head.ts";
import { messageOf } from "../realm/kinds.ts";
import type { ChannelCore } from "./channel_core.ts";
import type { ConnectRequest } from "./connect_request.ts";
import { ConnectError, type HandshakeResponse, WebSocketChannelError } from "./errors.ts";
import { type Answer, type AnswerOptions, type Exchange, NoAnswer } from "./exchange.ts";
import { inspectAs } from "./inspection.ts";
import { randomMaskingKeys } from "./masking_keys.ts";
import type { ConnectOverOptions } from "./options.ts";
import { shownUrl } from "./shown_url.ts";
import type { Spoken } from "./speaking_plainly.ts";

/** A client's request for the opening handshake. */
export interface OpeningRequest {
  readonly request: ConnectRequest;
  readonly origin: string | undefined;
  /** Default: the package's own. With `null` or an empty text, none is sent. */
  readonly userAgent?: string | null | undefined;
  readonly compression: ClientCompressionOptions | null;
  /** Returns whether to wait for the body of a refusal. */
  readonly wantsBody: (status: number) => boolean;
  readonly onRefusal?: ConnectOverOptions["onRefusal"];
}

/** The result of an accepted request. */
export interface Opened {
  readonly agreement: HandshakeAgreement;
  readonly response: HandshakeResponse;
}

/**
 * Does the client's opening handshake. RFC 6455 §4.1.
 *
 * @param exchange The exchange, which passes its wire on afterwards.
 * @param opening The request.
 * @returns The agreement and the answer.
 * @throws {ConnectError} If the server has refused, or its answer is invalid.
 */
export async function openHandshake(exchange: Exchange, opening: OpeningRequest): Promise<Opened> {
  const { request, origin, userAgent = USER_AGENT, compression } = opening;
  const handshake = startClientHandshake(request.url, nonce(), {
    protocols: request.protocols,
    headers: request.headers,
    ...(origin === undefined ? {} : { origin }),
    userAgent,
    compression,
  });
  return await agree(opening, {
    ask: (options) => exchange.send(handshake.head, options),
    isAccepted: (status) => status === 101,
    check: (head) => checkResponse(handshake, head),
  });
}

/** Sends a request, and checks the answer. */
export interface Asking {
  /** Sends the request. */
  ask(options: AnswerOptions): Promise<Answer>;
  /** Returns whether frames follow an answer with that status. */
  isAccepted(status: number): boolean;
  /** Checks the answer. */
  check(head: ResponseHead): HandshakeAgreement;
}

/** Does an opening handshake as {@linkcode openHandshake} does, with any kind of request. */
export async function agree(opening: OpeningRequest, asking: Asking): Promise<Opened> {
  const { answer, hookFailure } = await answerTo(opening, asking);
  const response = new SeenResponse(answer);
  try {
    return { agreement: asking.check(answer.head), response };
  } catch (error) {
    throw failure(opening.request.url, messageOf(error), response, hookFailure ?? error);
  }
}

async function answerTo(
  { request, wantsBody, onRefusal }: OpeningRequest,
  asking: Asking,
): Promise<{ readonly answer: Answer; readonly hookFailure: Error | null }> {
  let hookFailure: Error | null = null;
  try {
    const answer = await asking.ask({
      isBare: ({ status }) => asking.isAccepted(status),
      wantsBody: ({ status }) => wantsBody(status),
      onBody: onRefusal && (async ({ status, statusText, headers }, body) => {
        try {
          await onRefusal({ status, statusText, headers: new Headers([...headers]), body });
        } catch (cause) {
          hookFailure = new WebSocketChannelError("Cannot read the refusal: onRefusal failed", {
            cause,
          });
        }
      }),
    });
    return { answer, hookFailure };
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw failure(request.url, messageOf(error), null, error);
    const { code } = (error.cause ?? {}) as { code?: unknown };
    const how = error.cause === undefined ? "ended" : "was lost";
    const why = typeof code === "string" ? ` (${code})` : "";
    const fault = `the connection ${how} before the server had answered${why}`;
    throw failure(request.url, fault, null, error.cause);
  }
}

function failure(
  url: URL,
  fault: string,
  response: HandshakeResponse | null,
  cause?: unknown,
): ConnectError {
  const retryAfter = parseRetryAfter(response?.headers.get("retry-after") ?? null);
  // A server that doesn't answer the handshake will not answer a later one.
  const isWrong = cause instanceof HandshakeError && cause.reason !== "bad-status";
  const isNews = response === null || isWrong || !(cause instanceof HandshakeError);
  return new ConnectError(`Cannot connect to ${shownUrl(url)}: ${fault}`, {
    ...(cause !== undefined && isNews ? { cause } : {}),
    phase: "handshake",
    response,
    retryAfter,
    ...(isWrong ? { retryable: false } : {}),
  });
}

/**
 * RFC 6455 §4.1: creates 16 random bytes. They come from the source of masking keys, which never repeats
 * them.
 */
function nonce(): Uint8Array {
  const words = new Int32Array(NONCE_LENGTH / 4);
  for (let i = 0; i < words.length; i++) words[i] = randomMaskingKeys();
  return new Uint8Array(words.buffer);
}

/** The answer for users. Few users read its header fields, and creating `Headers` costs much. */
export class SeenResponse implements HandshakeResponse {
  readonly status: number;
  readonly #body: Uint8Array;
  readonly #statusText: string;
  readonly #fields: HeaderMap;
  #headers: Headers | null = null;

  constructor({ head, body }: { readonly head: ResponseHead; readonly body: Uint8Array }) {
    const { status, statusText, headers } = head;
    this.status = status;
    this.#body = body;
    this.#statusText = statusText;
    this.#fields = headers;
  }

  // Getters, not own properties, which Bun would print with an error, and JSON would show.

  get body(): Uint8Array {
    return this.#body;
  }

  get statusText(): string {
    return this.#statusText;
  }

  get headers(): Headers {
    if (this.#headers !== null) return this.#headers;
    const headers = this.#headers = new Headers();
    for (const [name, value] of this.#fields) headers.append(name, value);
    return headers;
  }
}

inspectAs(SeenResponse.prototype, "HandshakeResponse", ({ status, statusText, headers, body }) => ({
  status,
  statusText: shownPhrase(statusText),
  headers: [...headers.keys()],
  bodyLength: body.length,
}));

/**
 * Returns the time that a server asks to wait. RFC 9110 §10.2.3: a number of seconds, or a date.
 *
 * @param value The value of `Retry-After`.
 * @param now The time, in milliseconds since 1970.
 * @returns The time to wait, in milliseconds; `null` if there is no such field, or it is invalid.
 */
export function parseRetryAfter(value: string | null, now: number = Date.now()): number | null {
  if (value === null) return null;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  // RFC 9110 §5.6.7: there are three forms. All begin with the day of the week; one has no GMT.
  if (!/^[A-Z][a-z]{2}/.test(value)) return null;
  const date = Date.parse(value.endsWith("GMT") ? value : `${value} GMT`);
  return Number.isNaN(date) ? null : Math.max(date - now, 0);
}

/** A client's request over a channel of bytes. */
export interface OverOpening {
  readonly request: ConnectRequest;
  readonly options: ConnectOverOptions;
  /** The offered compression. */
  readonly compression: ClientCompressionOptions | null;
  /** Returns whether to wait for the body of a refusal. Default: always. */
  readonly wantsBody?: (status: number) => boolean;
}

/**
 * Does the opening handshake over bytes, and then starts RFC 6455.
 *
 * @param core The channel.
 * @param exchange The exchange. Its wire is destroyed if the handshake fails.
 * @param opening The request.
 * @param speak Starts RFC 6455.
 * @param open Does the handshake. Default: that of HTTP/1.1.
 * @throws {ConnectError} If the server has refused, or its answer is invalid.
 */
export async function openOver(
  core: ChannelCore,
  exchange: Exchange,
  { request, options, compression, wantsBody = () => true }: OverOpening,
  speak: (core: ChannelCore, over: Exchange, spoken: Spoken) => void,
  open: typeof openHandshake = openHandshake,
): Promise<void> {
  const { origin, userAgent, onRefusal } = options;
  core.opener = exchange;
  try {
    const asked = { request, origin, userAgent, compression, wantsBody, onRefusal };
    const opened = await open(exchange, asked);
    speak(core, exchange, { side: "client", ...opened, options });
  } catch (error) {
    exchange.destroy();
    throw error;
  }
}
