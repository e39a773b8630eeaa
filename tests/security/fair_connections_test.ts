/**
 * A sender that obeys backpressure over TCP: the echo of another connection of the same process gets
 * through. The bound is there to end a test that fails.
 */

import { assert } from "@std/assert";
import { WebSocketChannel } from "../../src/web_socket_channel.ts";
import { startEcho } from "../support/processes.ts";

const BOUND = 20_000;

type Sender = WebSocketChannel["sink"];

/** What sends on and on; short messages, which the kernel takes at once. */
const LOOPS: Record<string, (sink: Sender, goesOn: () => boolean) => Promise<unknown>> = {
  async "a sender that awaits ready"(sink, goesOn) {
    while (goesOn()) {
      sink.add("x");
      await sink.ready;
    }
  },
  async "a sender that awaits flush"(sink, goesOn) {
    while (goesOn()) {
      sink.add("x");
      await sink.flush();
    }
  },
  "addStream": (sink, goesOn) =>
    sink.addStream(function* (): Generator<string> {
      while (goesOn()) yield "x";
    }()),
};

for (const [name, send] of Object.entries(LOOPS)) {
  Deno.test(`attack 56: ${name} to a peer that keeps up holds up no echo`, async () => {
    // Elsewhere: a peer in this process would keep up only while the sender waits.
    const server = startEcho();
    try {
      const url = `ws://127.0.0.1:${(await server.next())["port"]}`;
      const sender = await WebSocketChannel.open(`${url}/read`, { transport: "net" });
      const other = await WebSocketChannel.open(`${url}/echo`, { transport: "net" });
      const start = performance.now();
      let echoed = false;
      other.stream.next().then(() => echoed = true);
      other.sink.add("hello");
      await send(sender.sink, () => !echoed && performance.now() - start < BOUND);
      assert(echoed, "The echo hasn't come while the sender went on");
      sender.terminate();
      await other.sink.close();
    } finally {
      await server.close();
    }
  });
}
