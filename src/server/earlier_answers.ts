import type { UpgradeSocket } from "./upgrade_socket.ts";

/** The part of `node:http`'s `ServerResponse` that this module uses. */
interface EarlierAnswer {
  once(event: "finish", listener: () => void): unknown;
  removeListener(event: "finish", listener: () => void): unknown;
  emit(event: "drain"): unknown;
}

/** Returns the answer that is being written. This property is not documented, but Node, Deno and Bun all have it. */
function answerOn(socket: UpgradeSocket): EarlierAnswer | null {
  return (socket as { _httpMessage?: EarlierAnswer | null })._httpMessage ?? null;
}

/** Whether the server still has to answer requests that precede the upgrade. */
export function owesAnswers(socket: UpgradeSocket): boolean {
  return answerOn(socket) !== null;
}

/**
 * Waits for the answers to the requests before an upgrade. A server answers in the order of the requests (RFC 9112
 * §9.3.2).
 */
export class EarlierAnswers {
  readonly #socket: UpgradeSocket;
  readonly #onDone: () => void;
  #answer: EarlierAnswer | null = null;
  readonly #onFinish = (): void => this.#watch();
  /** After `upgrade`, the server no longer forwards `drain` to its answers. */
  readonly #onDrain = (): void => void this.#answer?.emit("drain");

  /**
   * Starts waiting.
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

  /** The next answer replaces the previous one as soon as that has finished. */
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
