import { ignore } from "../stream_channel/errors.ts";

/**
 * The answers that are pending on one connection: all of them reject when it is lost.
 *
 * `Promise.race` with a promise that lasts as long as the connection would keep every answer in memory until then.
 */
export class PendingAnswers {
  readonly #rejects: Set<(error: unknown) => void> = new Set();
  #failure: { readonly error: unknown } | null = null;

  /** How many are pending. */
  get size(): number {
    return this.#rejects.size;
  }

  /** Rejects what is pending, and all that follows. */
  reject(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = { error };
    for (const reject of this.#rejects) reject(error);
    this.#rejects.clear();
  }

  /** What an answer gives, unless the connection is lost before. */
  within<T>(answer: Promise<T>): Promise<T> {
    if (this.#failure !== null) {
      answer.catch(ignore);
      return Promise.reject(this.#failure.error);
    }
    return new Promise<T>((resolve, reject) => {
      this.#rejects.add(reject);
      answer.then(
        (value) => {
          this.#rejects.delete(reject);
          resolve(value);
        },
        (error) => {
          this.#rejects.delete(reject);
          reject(error);
        },
      );
    });
  }
}
