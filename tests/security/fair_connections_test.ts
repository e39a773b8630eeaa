/**
 * A sender obeys backpressure over TCP: another connection of the same process still gets its echo.
 * The limit only ends a failing test.
 */

import { assert } from "@std/assert";
import { WebSocketChannel } from "../../src/web_socket_channel.ts";
import { startEcho } from "../support/processes.ts";

const BOUND = 20_000;

type Sender = WebSocketChannel["sink"];

/** Ways to send without end: short messages, which the kernel takes at once. */
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
  Deno.test(`attack 56: ${name} to a peer that keeps up delays no echo`, async () => {
    // The server runs outside of this process: a peer in this one would keep up only while the sender waits.
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
