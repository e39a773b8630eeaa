import { messageOf } from "../realm/kinds.ts";
import { NONCE_LENGTH } from "../handshake/accept_key.ts";
import {
  checkResponse,
  type ClientHandshake,
  type HandshakeAgreement,
  startClientHandshake,
} from "../handshake/client_handshake.ts";
import type { CompressionOptions } from "../permessage_deflate/deflate_parameters.ts";
import type { HeaderMap } from "../handshake/header_map.ts";
import { type ResponseHead, ResponseParser } from "../handshake/http_head.ts";
import { ResponseBody } from "../handshake/response_body.ts";
import type { ConnectRequest } from "./connect_options.ts";
import { ConnectError, type HandshakeResponse } from "./errors.ts";
import { inspectAs } from "./inspection.ts";
import { shownUrl } from "./shown_url.ts";
import { randomMaskingKeys } from "./masking_keys.ts";

/** What is told of a {@linkcode ClientOpening}. */
export interface OpeningEvents {
  /** The server agreed. `rest` is what came behind its answer: frames. */
  onAgreed(agreement: HandshakeAgreement, response: HandshakeResponse, rest: Uint8Array): void;
  /** The server refused, or its answer is wrong. */
  onFailed(error: ConnectError): void;
  /** The server refused, and the refusal's body is still coming; {@linkcode ClientOpening.end} does without. */
  onRefusing(status: number): void;
}

const EMPTY = new Uint8Array(0);

/** The client's opening handshake over bytes: what to send, and what becomes of the answer. */
export class ClientOpening {
  /** What to send. */
  readonly head: Uint8Array;

  readonly #url: URL;
  readonly #handshake: ClientHandshake;
  readonly #events: OpeningEvents;
  readonly #parser = new ResponseParser();
  #refusal: { head: ResponseHead; body: ResponseBody } | null = null;
  #over = false;

  /**
   * Begins a handshake.
   *
   * @param request Where to, and with what.
   * @param extras The origin, and the compression to offer.
   * @param events Whom to tell.
   */
  constructor(
    request: ConnectRequest,
    extras: { origin: string | undefined; compression: CompressionOptions | null },
    events: OpeningEvents,
  ) {
    const { origin, compression } = extras;
    this.#url = request.url;
    this.#handshake = startClientHandshake(request.url, nonce(), {
      protocols: request.protocols,
      headers: request.headers,
      ...(origin === undefined ? {} : { origin }),
      compression,
    });
    this.head = this.#handshake.head;
    this.#events = events;
  }

  /** Takes what arrived. It is not kept, but what comes behind the head is a view of it. */
  receive(chunk: Uint8Array): void {
    if (this.#over) return;
    if (this.#refusal === null) this.#readHead(chunk);
    else this.#readBody(this.#refusal.body, chunk);
  }

  /** The transport has ended, or enough was waited for the body of a refusal. */
  end(cause?: unknown): void {
    if (this.#over) return;
    if (this.#refusal !== null) return this.#refuse();
    this.#fail("the connection ended before the server had answered", null, cause);
  }

  #readHead(chunk: Uint8Array): void {
    let response: ResponseHead | null = null;
    let rest: Uint8Array;
    let agreement: HandshakeAgreement;
    try {
      const parsed = this.#parser.push(chunk);
      if (parsed === null) return;
      ({ head: response, rest } = parsed);
      if (response.status !== 101) return this.#startRefusal(response, rest);
      agreement = checkResponse(this.#handshake, response);
    } catch (error) {
      const seen = response === null ? null : new Answer(response, EMPTY);
      return this.#fail(messageOf(error), seen, error);
    }
    this.#over = true;
    this.#events.onAgreed(agreement, new Answer(response, EMPTY), rest);
  }

  #startRefusal(head: ResponseHead, rest: Uint8Array): void {
    const body = new ResponseBody(head);
    this.#refusal = { head, body };
    if (!body.isComplete) this.#events.onRefusing(head.status);
    if (!this.#over) this.#readBody(body, rest);
  }

  #readBody(body: ResponseBody, chunk: Uint8Array): void {
    body.push(chunk);
    if (body.isComplete) this.#refuse();
  }

  #refuse(): void {
    if (this.#refusal === null) return;
    const { head, body } = this.#refusal;
    const phrase = head.statusText === "" ? "" : ` ${head.statusText}`;
    this.#fail(`the server answered ${head.status}${phrase}`, new Answer(head, body.bytes));
  }

  #fail(fault: string, response: HandshakeResponse | null, cause?: unknown): void {
    this.#over = true;
    const retryAfter = parseRetryAfter(response?.headers.get("retry-after") ?? null);
    this.#events.onFailed(
      new ConnectError(`Cannot connect to ${shownUrl(this.#url)}: ${fault}`, {
        ...(cause === undefined ? {} : { cause }),
        phase: "handshake",
        response,
        retryAfter,
        // A wrong answer to the handshake is what this server gives.
        ...(response?.status === 101 ? { retryable: false } : {}),
      }),
    );
  }
}

/** RFC 6455 §4.1: chance, from the supply of masking keys: each is given out once. */
function nonce(): Uint8Array {
  const words = new Int32Array(NONCE_LENGTH / 4);
  for (let i = 0; i < words.length; i++) words[i] = randomMaskingKeys();
  return new Uint8Array(words.buffer);
}

/** The answer as users see it: few look at its header fields, and `Headers` cost much to make. */
export class Answer implements HandshakeResponse {
  readonly status: number;
  readonly statusText: string;
  readonly body: Uint8Array;
  readonly #fields: HeaderMap;
  #headers: Headers | null = null;

  constructor({ status, statusText, headers }: ResponseHead, body: Uint8Array) {
    this.status = status;
    this.statusText = statusText;
    this.body = body;
    this.#fields = headers;
  }

  get headers(): Headers {
    if (this.#headers !== null) return this.#headers;
    const headers = this.#headers = new Headers();
    for (const [name, value] of this.#fields) headers.append(name, value);
    return headers;
  }
}

inspectAs(Answer.prototype, "HandshakeResponse", ({ status, statusText, headers, body }) => ({
  status,
  statusText,
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
