import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ConnectError, NetWebSocketChannel, WebSocketChannel } from "../../src/net/mod.ts";
import { channelPair, jsonDocument } from "../../src/stream_channel/mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { deferred } from "../support/promises.ts";
import { closeAs } from "../../src/web_socket/close_like.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { turn } from "../support/turns.ts";
import { withServer } from "../server/support.ts";

/** Two connections whose near ends are piped to each other: each far end sees what the other one does. */
function piped() {
  const [a, b] = [webSocketChannelPair(), webSocketChannelPair()];
  return {
    a: a.client,
    b: b.server,
    near: [a.server, b.client] as const,
    done: a.server.pipe(b.client),
  };
}

const CODES: [code: number | undefined, reason: string][] = [
  [undefined, ""],
  [1000, "done"],
  [1001, ""],
  [1009, "too big"],
  [1011, ""],
  [1012, ""],
  [3000, "registered"],
  [4404, "not here"],
];

Deno.test("pipe: each end passes its code and reason to the other, after its messages", async () => {
  for (const [code, reason] of CODES) {
    for (const isFirst of [true, false]) {
      const { a, b, done } = piped();
      const [from, to] = isFirst ? [a, b] : [b, a];
      from.sink.add("last");
      void from.sink.close(code, reason === "" ? undefined : reason);
      assertEquals((await to.stream.next()).value, "last");
      const info = await to.closed;
      assertEquals([info.code, info.reason, info.wasClean], [code ?? 1005, reason, true]);
      await done;
    }
  }
});

Deno.test("pipe: a near end that the user closes passes on the code and reason", async () => {
  const { a, b, near, done } = piped();
  void near[0].sink.close(4404, "by hand");
  for (const { code, reason } of [await a.closed, await b.closed]) {
    assertEquals([code, reason], [4404, "by hand"]);
  }
  await done;
});

Deno.test("pipe: a lost connection closes the other end with 1011", async () => {
  const { a, b } = piped();
  a.terminate();
  assertEquals((await b.closed).code, 1011);
});

Deno.test("pipe: if a server is unreachable, the client gets 1014 and the pipe its error", async () => {
  const failed = deferred<unknown>();
  const handler = async (guest: WebSocketChannel): Promise<void> => {
    // No server listens on port 0.
    await guest.pipe(NetWebSocketChannel.connect("ws://127.0.0.1:0")).catch(failed.resolve);
  };
  await withServer({ handler }, async (server) => {
    const client = NetWebSocketChannel.connect(server.url);
    assertEquals((await client.closed).code, 1014);
    assertInstanceOf(await failed.promise, ConnectError);
  });
});

Deno.test("pipe: a channel that is still connecting gets all messages, and the code", async () => {
  const seen: unknown[] = [];
  const ended = deferred<unknown>();
  const handler = async (guest: WebSocketChannel): Promise<void> => {
    for await (const message of guest.stream) seen.push(message);
    ended.resolve((await guest.closed).code);
  };
  await withServer({ handler }, async (server) => {
    const { client, server: near } = webSocketChannelPair();
    client.sink.add("early");
    await client.sink.close(4001);
    const done = near.pipe(NetWebSocketChannel.connect(server.url));
    assertEquals([await ended.promise, seen], [4001, ["early"]]);
    await done;
  });
});

Deno.test("pipe: transformed channels pass on the code, and a malformed message closes both sides with 1007", async () => {
  for (const isMalformed of [false, true]) {
    const [a, b] = [webSocketChannelPair(), webSocketChannelPair()];
    const done = a.server.transform(jsonDocument).pipe(b.client.transform(jsonDocument));
    a.client.sink.add('{"a": 1}');
    if (isMalformed) a.client.sink.add("no JSON");
    else void a.client.sink.close(4404, "over");
    assertEquals((await b.server.stream.next()).value, '{"a":1}');
    assertEquals((await b.server.closed).code, isMalformed ? 1007 : 4404);
    if (isMalformed) await assertRejects(() => done);
    else await done;
  }
});

Deno.test("pipe: a code that the other transport cannot send is left out", async () => {
  const { client, server } = webSocketChannelPair();
  const socket = new FakeWebSocket();
  socket.refuses = (code) => code < 3000;
  socket.onClose = () => socket.closed({ code: 1000, reason: "", wasClean: true });
  const done = server.pipe(WebSocketChannel.from(socket));
  await client.ready;
  void client.sink.close(1011);
  await done;
  assertEquals(socket.closes.at(-1), []);
});

Deno.test("pipe: a channel without codes closes the other end's WebSocket without one", async () => {
  const { local, foreign } = channelPair<string | Uint8Array, string | Uint8Array>();
  const { client, server } = webSocketChannelPair();
  const done = client.pipe(local);
  void foreign.sink.close();
  assertEquals((await server.closed).code, 1005);
  await done;
  assert(client.state === "closed");
});

Deno.test("the pipe ends the connection of a foreign sink that cannot be closed", () => {
  const told: unknown[] = [];
  const channel = {
    state: "open",
    sink: {
      close(...args: unknown[]): never {
        told.push(args);
        throw new DOMException("An addStream has it", "InvalidStateError");
      },
    },
    terminate: () => told.push("terminate"),
  };
  closeAs(channel as unknown as WebSocketChannel, 4404, "not here");
  assertEquals(told, [[4404, "not here"], [], "terminate"]);
});

Deno.test("a sink whose close rejects causes no unhandled rejection", async () => {
  const channel = { state: "open", sink: { close: () => Promise.reject(new Error("no")) } };
  await assertNoUncaught(async () => {
    for (const code of [1005, 1006, 4404]) {
      closeAs(channel as unknown as WebSocketChannel, code, "");
    }
    await turn();
  });
});
