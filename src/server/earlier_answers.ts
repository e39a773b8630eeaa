import type { UpgradeSocket } from "./upgrade_socket.ts";

/** What is used of `node:http`'s `ServerResponse`. */
interface EarlierAnswer {
  once(event: "finish", listener: () => void): unknown;
  removeListener(event: "finish", listener: () => void): unknown;
  emit(event: "drain"): unknown;
}

/** Not documented, but Node, Deno and Bun all keep the answer that is being written here. */
function answerOn(socket: UpgradeSocket): EarlierAnswer | null {
  return (socket as { _httpMessage?: EarlierAnswer | null })._httpMessage ?? null;
}

/** Whether a connection still owes answers to requests in front of its upgrade. */
export function owesAnswers(socket: UpgradeSocket): boolean {
  return answerOn(socket) !== null;
}

/**
 * Waits for the answers to the requests in front of an upgrade. RFC 9112 §9.3.2: a server answers in
 * the order of the requests.
 */
export class EarlierAnswers {
  readonly #socket: UpgradeSocket;
  readonly #onDone: () => void;
  #answer: EarlierAnswer | null = null;
  readonly #onFinish = (): void => this.#watch();
  /** The server passes this on no more, once it has emitted `upgrade`. */
  readonly #onDrain = (): void => void this.#answer?.emit("drain");

  /**
   * Starts to wait.
   *
   * @param socket The connection.
   * @param onDone Called once, when every earlier answer is written.
   */
  constructor(socket: UpgradeSocket, onDone: () => void) {
    this.#socket = socket;
    this.#onDone = onDone;
    socket.on("drain", this.#onDrain);
    this.#watch();
  }

  /** The next answer is on the socket as soon as the one before it has finished. */
  #watch(): void {
    this.#answer = answerOn(this.#socket);
    if (this.#answer !== null) {
      this.#answer.once("finish", this.#onFinish);
      return;
    }
    this.stop();
    this.#onDone();
  }

  /** Stops waiting. */
  stop(): void {
    this.#socket.removeListener("drain", this.#onDrain);
    this.#answer?.removeListener("finish", this.#onFinish);
    this.#answer = null;
  }
}
