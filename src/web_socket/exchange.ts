import { type ResponseHead, ResponseParser } from "../handshake/http_head.ts";
import { ResponseBody } from "../handshake/response_body.ts";
import { copyOf } from "../realm/bytes.ts";
import { Deferred } from "../stream_channel/errors.ts";
import type { Clock } from "./clock.ts";
import { BodyStream } from "./body_stream.ts";
import { Deadline } from "./deadline.ts";
import { WebSocketChannelError } from "./errors.ts";
import type { Wire, WireEvents, WireFailure } from "./wire.ts";

/** The answer to a request: its head, and its body if the caller needs it. */
export interface Answer {
  readonly head: ResponseHead;
  /** The received part of the body; empty if there is none, or the caller doesn't need it. */
  readonly body: Uint8Array;
}

/** How to read an answer. */
export interface AnswerOptions {
  /** Returns whether the answer has only a head. */
  readonly isBare: (head: ResponseHead) => boolean;
  /** Returns whether to wait for the body. */
  readonly wantsBody: (head: ResponseHead) => boolean;
  /**
   * Called with a needed body before it is read. The answer waits for the promise, which never rejects. Then
   * the stream ends.
   */
  readonly onBody?:
    | ((head: ResponseHead, body: ReadableStream<Uint8Array>) => Promise<void>)
    | undefined;
}

/** The time limit for the body of an answer. */
export interface BodyTime {
  readonly clock: Clock;
  /** The limit in milliseconds. */
  readonly ms: number;
}

/** The error of a wire that ended before an answer was received. */
export class NoAnswer extends Error {
  /** The name of the error, `"NoAnswer"`, even in minified code. */
  override readonly name = "NoAnswer";
}

/** A request and its answer over a wire. Afterwards the wire gets another reader. */
export class Exchange implements WireEvents {
  readonly wire: Wire;
  readonly #bodyTime: BodyTime;
  readonly #parser = new ResponseParser();
  readonly #answer = new Deferred<Answer>();
  #options: AnswerOptions | null = null;
  #head: ResponseHead | null = null;
  #body: ResponseBody | null = null;
  /** The body, while `onBody` reads it. */
  #stream: BodyStream | null = null;
  #deadline: Deadline | null = null;
  #isDone = false;
  /** The bytes after the answer that were received before {@linkcode handOver}. */
  #rest: Uint8Array[] = [];
  #over: { readonly failure: WireFailure | null } | null = null;
  #end: { readonly failure: WireFailure | null } | null = null;

  /**
   * Creates an exchange, and starts to read.
   *
   * @param wire The bytes.
   * @param bodyTime The time limit for a body.
   * @throws {DOMException} `InvalidStateError` if the wire has another reader. The wire is unchanged.
   */
  constructor(wire: Wire, bodyTime: BodyTime) {
    this.wire = wire;
    this.#bodyTime = bodyTime;
    wire.listen(this);
  }

  /**
   * Sends a request and reads the answer.
   *
   * @param head The request's head.
   * @param options How to read the answer.
   * @returns A promise of the answer. It never settles after {@linkcode destroy}.
   * @throws {NoAnswer} If the wire ends before the answer.
   * @throws {HandshakeError} If the answer is malformed or too long.
   */
  send(head: Uint8Array, options: AnswerOptions): Promise<Answer> {
    const answer = this.answer(options);
    this.wire.write(head);
    return answer;
  }

  /**
   * Reads the answer as {@linkcode send} does, to a request that was sent in another way. {@linkcode onHead}
   * may be called then.
   */
  answer(options: AnswerOptions): Promise<Answer> {
    this.#options = options;
    return this.#answer.promise;
  }

  /** Takes the head of an answer that didn't arrive on the wire. All bytes of the wire follow it. */
  onHead(head: ResponseHead): void {
    if (this.#isDone) return;
    this.#head = head;
    if (this.#options?.isBare(head)) this.#finish();
    else this.#startBody(head, new Uint8Array(0));
  }

  /** Whether bytes after the answer were received. */
  get hasRest(): boolean {
    return this.#rest.length > 0;
  }

  /** Makes `events` the wire's reader. It first gets the bytes that were received after the answer. */
  handOver(events: WireEvents): void {
    this.wire.listen(events);
    if (this.#over !== null) events.onEnded(this.#over.failure);
    for (const chunk of this.#rest) events.onChunk(chunk);
    if (this.#end !== null) events.onEnd(this.#end.failure);
  }

  onChunk(chunk: Uint8Array): void {
    if (this.#isDone) this.#keep(chunk);
    else if (this.#body !== null) this.#readBody(this.#body, chunk);
    else this.#readHead(chunk);
  }

  onDrain(): void {}

  onEnded(failure: WireFailure | null): void {
    this.#over = { failure };
  }

  onEnd(failure: WireFailure | null): void {
    this.#end = { failure };
    if (this.#isDone) return;
    if (this.#body !== null) return this.#onBodyEnd(this.#body, failure);
    const cause = failure === null ? undefined : { cause: failure.error };
    this.#fail(new NoAnswer("The connection ended before an answer arrived", cause));
  }

  #keep(chunk: Uint8Array): void {
    this.#rest.push(this.wire.ownsChunks ? chunk : copyOf(chunk));
  }

  #readHead(chunk: Uint8Array): void {
    try {
      const parsed = this.#parser.push(chunk);
      if (parsed === null) return;
      this.#head = parsed.head;
      if (this.#options?.isBare(parsed.head)) {
        if (parsed.rest.length > 0) this.#keep(parsed.rest);
        this.#finish();
      } else this.#startBody(parsed.head, parsed.rest);
    } catch (error) {
      this.#fail(error);
    }
  }

  #startBody(head: ResponseHead, rest: Uint8Array): void {
    const body = this.#body = new ResponseBody(head);
    const { onBody, wantsBody } = this.#options ?? {};
    if (onBody !== undefined && wantsBody?.(head)) {
      const stream = this.#stream = new BodyStream(this.wire);
      body.onBytes = (bytes) => stream.add(bytes);
      void onBody(head, stream.readable).then(() => this.#onStreamed(head, body));
    }
    this.#readBody(body, rest);
    if (!this.#isDone && this.#stream === null) this.#awaitBody(head);
  }

  #awaitBody(head: ResponseHead): void {
    if (!this.#options?.wantsBody(head)) return this.#finish();
    const { clock, ms } = this.#bodyTime;
    this.#deadline = new Deadline(clock, { ms, onTime: () => this.#finish() });
  }

  #readBody(body: ResponseBody, chunk: Uint8Array): void {
    body.push(chunk);
    if (body.isComplete) this.#onBodyEnd(body, null);
  }

  #onBodyEnd(body: ResponseBody, failure: WireFailure | null): void {
    if (this.#stream === null) return this.#finish();
    if (failure === null && !body.isUnfinished) return this.#stream.end();
    const cause = failure === null ? undefined : { cause: failure.error };
    const message = "Cannot read the body: it is truncated or malformed";
    this.#stream.fail(new WebSocketChannelError(message, cause));
  }

  /** Ends the stream, and waits for the rest of the part that is kept. */
  #onStreamed(head: ResponseHead, body: ResponseBody): void {
    this.#endStream("onRefusal has returned");
    body.onBytes = null;
    if (this.#isDone) return;
    if (body.isComplete || this.#end !== null) this.#finish();
    else this.#awaitBody(head);
  }

  #endStream(why: string): void {
    const stream = this.#stream;
    this.#stream = null;
    stream?.fail(new WebSocketChannelError(`Cannot read the body any more: ${why}`));
  }

  #finish(): void {
    this.#stop();
    const head = this.#head as ResponseHead;
    this.#answer.resolve({ head, body: this.#body?.bytes ?? new Uint8Array(0) });
  }

  #fail(error: unknown): void {
    this.#stop();
    this.#answer.reject(error);
  }

  #stop(): void {
    this.#isDone = true;
    this.#deadline?.clear();
    this.#deadline = null;
  }

  /** Abandons the exchange, and destroys the wire. */
  destroy(): void {
    this.#endStream("the attempt to connect was abandoned");
    this.#stop();
    this.wire.destroy();
  }

  /** Lets the wire keep the process alive. */
  ref(): void {
    this.wire.ref();
  }

  /** Lets the process end although the wire is open. */
  unref(): void {
    this.wire.unref();
  }
}
