// The chat's servers joined by Redis: publish and subscribe for what happens, a list for what was said.

import { createClient } from "redis";
import { type Bus, type ChatEvent, HISTORY } from "./bus.ts";
import type { Said } from "./messages.ts";

const CHANNEL = "chat:events";
const SAID = "chat:said";
const GUESTS = "chat:guests";

/** Connects to Redis. */
export async function redisBus(url: string): Promise<Bus> {
  const client = createClient({ url });
  // Without a listener a lost connection would end the process; the client connects again by itself.
  client.on("error", (error) => console.error(`redis: ${error}`));
  await client.connect();
  // A connection that has subscribed can do nothing else.
  const subscriber = client.duplicate();
  subscriber.on("error", (error) => console.error(`redis: ${error}`));
  await subscriber.connect();
  return {
    async publish(event) {
      const text = JSON.stringify(event);
      if (event.kind !== "said") return void await client.publish(CHANNEL, text);
      // All at once, so that the list and all servers have one order.
      await client.multi()
        .rPush(SAID, JSON.stringify(event.said))
        .lTrim(SAID, -HISTORY, -1)
        .publish(CHANNEL, text)
        .exec();
    },
    async subscribe(callback) {
      await subscriber.subscribe(CHANNEL, (text) => callback(JSON.parse(text) as ChatEvent));
    },
    async history() {
      return (await client.lRange(SAID, 0, -1)).map((text) => JSON.parse(text) as Said);
    },
    nextGuest: () => client.incr(GUESTS),
    async close() {
      await subscriber.close();
      await client.close();
    },
  };
}
