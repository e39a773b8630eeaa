/** Both ends of workerd's `WebSocketPair`, as channels or one of them raw. Run by `deno task test:workerd`. */

import { assertEquals } from "@std/assert";
import { WebSocketChannel, type WebSocketLike } from "../../mod.ts";

type Pair = new () => Record<"0" | "1", WebSocketLike & { accept(): void }>;
const { WebSocketPair } = globalThis as { WebSocketPair?: Pair };

/** Both ends, accepted. */
function pair(): [WebSocketLike, WebSocketLike] {
  if (WebSocketPair === undefined) throw new TypeError("This is no workerd");
  const { 0: one, 1: other } = new WebSocketPair();
  one.accept();
  other.accept();
  return [one, other];
}

const options = { ignore: WebSocketPair === undefined };

Deno.test(
  "workerd: the channel of a pair's end answers a Close of any code from the other end",
  options,
  async () => {
    for (const args of [[3001, "bye"], [1000, ""], []] as [number?, string?][]) {
      const [bare, end] = pair();
      const channel = WebSocketChannel.from(end);
      const closed = new Promise<{ code: number }>((resolve) =>
        bare.addEventListener("close", (event: { code: number }) => resolve(event))
      );
      bare.close(...args);
      const expected = args[0] ?? 1005;
      assertEquals((await closed).code, expected);
      const { code, initiator, wasClean } = await channel.closed;
      assertEquals([code, initiator, wasClean], [expected, "remote", true]);
    }
  },
);

Deno.test(
  "workerd: two channels on a pair exchange messages both ways, then close",
  options,
  async () => {
    const [one, other] = pair().map((it) => WebSocketChannel.from(it));
    if (one === undefined || other === undefined) throw new TypeError();
    await Promise.all([one.ready, other.ready]);
    other.stream.listen((message) => other.sink.add(message));
    one.sink.add("text");
    one.sink.add(Uint8Array.of(1, 2));
    assertEquals((await one.stream.next()).value, "text");
    assertEquals((await one.stream.next()).value, Uint8Array.of(1, 2));
    await one.sink.close(3000, "done");
    const [own, peers] = await Promise.all([one.closed, other.closed]);
    assertEquals([own.code, own.initiator, own.wasClean], [3000, "local", true]);
    assertEquals([peers.code, peers.reason, peers.initiator], [3000, "done", "remote"]);
  },
);
