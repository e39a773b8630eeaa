import { type ResponseHead, ResponseParser } from "../handshake/http_head.ts";
import { ResponseBody } from "../handshake/response_body.ts";
import { copyOf } from "../realm/bytes.ts";
import { Deferred } from "../stream_channel/promises.ts";
import type { Clock } from "./clock.ts";
import { Deadline } from "./deadline.ts";
import type { Wire, WireEvents, WireFailure } from "./wire.ts";

/** An answer, as far as it is wanted. */
export interface Answer {
  readonly head: ResponseHead;
  /** As much of the body as has come; empty where there is none, or it isn't wanted. */
  readonly body: Uint8Array;
}

/** How an answer is read. */
export interface AnswerOptions {
  /** Whether nothing but the head belongs to the answer. */
  readonly isBare: (head: ResponseHead) => boolean;
  /** Whether the body of one that isn't bare is worth waiting for. */
  readonly wantsBody: (head: ResponseHead) => boolean;
}

/** How long the body of an answer may take. */
export interface BodyTime {
  readonly clock: Clock;
  /** In milliseconds. */
  readonly ms: number;
}

/** The wire has ended before an answer came. */
export class NoAnswer extends Error {
  /** The name of the class. */
  override readonly name = "NoAnswer";
}

/** A request and its answer over a wire, which others take over afterwards. */
export class Exchange implements WireEvents {
  readonly wire: Wire;
  readonly #bodyTime: BodyTime | null;
  readonly #parser = new ResponseParser();
  readonly #answer = new Deferred<Answer>();
  #options: AnswerOptions | null = null;
  #head: ResponseHead | null = null;
  #body: ResponseBody | null = null;
  #deadline: Deadline | null = null;
  #isDone = false;
  /** What came behind the answer, before anybody took the wire over. */
  #rest: Uint8Array[] = [];
  #over: { readonly failure: WireFailure | null } | null = null;
  #end: { readonly failure: WireFailure | null } | null = null;

  /**
   * Begins to read.
   *
   * @param wire The bytes.
   * @param bodyTime How long a body may take; `null`: as long as it likes.
   * @throws {DOMException} InvalidStateError when somebody else reads them: they are left alone.
   */
  constructor(wire: Wire, bodyTime: BodyTime | null) {
    this.wire = wire;
    this.#bodyTime = bodyTime;
    wire.listen(this);
  }

  /**
   * Sends a request, and reads the answer.
   *
   * @param head The request's head.
   * @param options How the answer is read.
   * @returns A promise of the answer. It never settles when {@linkcode destroy} was called.
   * @throws {NoAnswer} When the wire ends before that.
   * @throws {HandshakeError} When the answer is malformed, or too long.
   */
  send(head: Uint8Array, options: AnswerOptions): Promise<Answer> {
    this.#options = options;
    this.wire.write(head);
    return this.#answer.promise;
  }

  /** Whether bytes came behind the answer. */
  get hasRest(): boolean {
    return this.#rest.length > 0;
  }

  /** Gives the wire to somebody else, who gets what came behind the answer first. */
  handOver(events: WireEvents): void {
    this.wire.listen(events);
    if (this.#over !== null) events.onOver(this.#over.failure);
    for (const chunk of this.#rest) events.onChunk(chunk);
    if (this.#end !== null) events.onEnd(this.#end.failure);
  }

  onChunk(chunk: Uint8Array): void {
    if (this.#isDone) this.#keep(chunk);
    else if (this.#body !== null) this.#readBody(this.#body, chunk);
    else this.#readHead(chunk);
  }

  onDrain(): void {}

  onOver(failure: WireFailure | null): void {
    this.#over = { failure };
  }

  onEnd(failure: WireFailure | null): void {
    this.#end = { failure };
    if (this.#isDone) return;
    if (this.#body !== null) return this.#finish();
    const cause = failure === null ? undefined : { cause: failure.error };
    this.#fail(new NoAnswer("The connection ended before there was an answer", cause));
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
    this.#readBody(body, rest);
    if (this.#isDone) return;
    if (!this.#options?.wantsBody(head)) return this.#finish();
    if (this.#bodyTime === null) return;
    const { clock, ms } = this.#bodyTime;
    this.#deadline = new Deadline(clock, { ms, onTime: () => this.#finish() });
  }

  #readBody(body: ResponseBody, chunk: Uint8Array): void {
    body.push(chunk);
    if (body.isComplete) this.#finish();
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

  /** Gives up, and ends the wire. */
  destroy(): void {
    this.#stop();
    this.wire.destroy();
  }

  /** See `WebSocketChannel.ref`. */
  ref(): void {
    this.wire.ref();
  }

  /** See `WebSocketChannel.unref`. */
  unref(): void {
    this.wire.unref();
  }
}
