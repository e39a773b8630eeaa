/** Loads for a client: as many messages as possible, with a number of them in flight. */

import type { Client } from "./clients.ts";
import type { Contender } from "./measure.ts";
import { quantile, rounded } from "./row.ts";

const ENDED = "The connection ended";

/** A load. */
export interface Load {
  readonly message: string | Uint8Array;
  /** The number of messages in flight. */
  readonly window: number;
}

/**
 * Messages per second: the echoes within the time. Echoes of messages in flight at its end arrive
 * before the next contender's turn, and don't count.
 */
export function echoing(name: string, client: Client, { message, window }: Load): Contender {
  const often = Math.max(1, window >> 2);
  const measure = (milliseconds: number): Promise<number> =>
    new Promise((resolve, reject) => {
      let received = 0;
      let missing = window;
      let rate = 0;
      client.onEnd = () => reject(new Error(ENDED));
      const start = performance.now();
      client.onMessage = () => {
        received++;
        if (rate === 0) {
          if (received % often === 0) {
            const elapsed = performance.now() - start;
            if (elapsed >= milliseconds) rate = received / elapsed * 1000;
          }
          if (rate === 0) return client.send(message);
        }
        if (--missing === 0) resolve(rate);
      };
      for (let i = 0; i < window; i++) client.send(message);
    });
  return { name, measure };
}

/** The round trip time of each message, one at a time. */
export interface RoundTrips extends Contender {
  /** All round trip times, in microseconds, without those of the first round. */
  readonly samples: readonly number[];
  /** The 99th percentile of each round, without the first round. */
  readonly tails: readonly number[];
}

/** Measures round trips. The value of a round is the median, in microseconds. */
export function roundTrips(name: string, client: Client, message: Uint8Array): RoundTrips {
  const samples: number[] = [];
  const tails: number[] = [];
  let isWarm = false;
  const keep = (own: readonly number[]): void => {
    if (isWarm) {
      for (const sample of own) samples.push(sample);
      tails.push(rounded(quantile(own, 0.99)));
    }
    isWarm = true;
  };
  const measure = (milliseconds: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const own: number[] = [];
      client.onEnd = () => reject(new Error(ENDED));
      const start = performance.now();
      let sent = start;
      client.onMessage = () => {
        const now = performance.now();
        own.push((now - sent) * 1000);
        if (now - start >= milliseconds) {
          keep(own);
          return resolve(quantile(own, 0.5));
        }
        sent = performance.now();
        client.send(message);
      };
      client.send(message);
    });
  return { name, samples, tails, measure };
}

/** The time for this many messages, in milliseconds. */
export function exchange(client: Client, load: Load, count: number): Promise<number> {
  const { message, window } = load;
  return new Promise((resolve, reject) => {
    client.onEnd = () => reject(new Error(ENDED));
    const start = performance.now();
    let sent = Math.min(window, count);
    let received = 0;
    client.onMessage = () => {
      received++;
      if (sent < count) {
        sent++;
        client.send(message);
      } else if (received === count) resolve(performance.now() - start);
    };
    for (let i = 0; i < sent; i++) client.send(message);
  });
}
