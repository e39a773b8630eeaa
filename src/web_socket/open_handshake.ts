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

/** What a client asks a server for. */
export interface OpeningRequest {
  readonly request: ConnectRequest;
  readonly origin: string | undefined;
  /** Left out: the package's own; `null` or empty: none. */
  readonly userAgent?: string | null | undefined;
  readonly compression: ClientCompressionOptions | null;
  /** Whether the body of a refusal is worth waiting for. */
  readonly wantsBody: (status: number) => boolean;
  readonly onRefusal?: ConnectOverOptions["onRefusal"];
}

/** What the server has agreed to. */
export interface Opened {
  readonly agreement: HandshakeAgreement;
  readonly response: HandshakeResponse;
}

/**
 * The client's opening handshake. RFC 6455 §4.1.
 *
 * @param exchange Over what; the wire is taken over from it afterwards.
 * @param opening What to ask for.
 * @returns What the server has agreed to.
 * @throws {ConnectError} When it has refused, or its answer is wrong.
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

/** How a request is sent, and its answer checked. */
export interface Asking {
  /** Sends it. */
  ask(options: AnswerOptions): Promise<Answer>;
  /** Whether frames follow behind an answer of that status. */
  isAccepted(status: number): boolean;
  /** Checks the answer. */
  check(head: ResponseHead): HandshakeAgreement;
}

/** As {@linkcode openHandshake}, whatever the request is. */
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
  // What isn't an answer to the handshake is what this server gives.
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

/** RFC 6455 §4.1: 16 random bytes. They come from the source of masking keys, which never repeats them. */
function nonce(): Uint8Array {
  const words = new Int32Array(NONCE_LENGTH / 4);
  for (let i = 0; i < words.length; i++) words[i] = randomMaskingKeys();
  return new Uint8Array(words.buffer);
}

/** The answer as users see it: few look at its header fields, and `Headers` cost much to make. */
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

  // These are no properties of its own, which Bun would print with an error, and JSON would show.

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
 * How long a server asks to wait: RFC 9110 §10.2.3, a number of seconds, or a date.
 *
 * @param value The value of `Retry-After`.
 * @param now The time, in milliseconds since 1970.
 * @returns The time to wait, in milliseconds; `null` when there is no such field, or it is neither.
 */
export function parseRetryAfter(value: string | null, now: number = Date.now()): number | null {
  if (value === null) return null;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  // RFC 9110 §5.6.7: three forms, each begins with the day of the week; one doesn't say GMT.
  if (!/^[A-Z][a-z]{2}/.test(value)) return null;
  const date = Date.parse(value.endsWith("GMT") ? value : `${value} GMT`);
  return Number.isNaN(date) ? null : Math.max(date - now, 0);
}

/** What a client asks for over bytes. */
export interface OverOpening {
  readonly request: ConnectRequest;
  readonly options: ConnectOverOptions;
  /** The compression that it offers. */
  readonly compression: ClientCompressionOptions | null;
  /** Whether the body of a refusal is worth waiting for. Left out: it is. */
  readonly wantsBody?: (status: number) => boolean;
}

/**
 * Does the opening handshake over bytes, and speaks then.
 *
 * @param core The channel.
 * @param exchange The bytes; they are ended when the handshake fails.
 * @param opening What to ask for.
 * @param speak Speaks RFC 6455.
 * @param open Does the handshake; left out: that of HTTP/1.1.
 * @throws {ConnectError} When the server has refused, or its answer is wrong.
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
