/** Attacks by raw peers that send a message in parts, over real sockets. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { deflateRawSync } from "node:zlib";
import type { IncomingMessage, Message, MessageInput } from "../../mod.ts";
import type { ServerWebSocketChannel, WebSocketServer } from "../../src/server/mod.ts";
import { joined, utf8 } from "../support/bytes.ts";
import { clientFrame, opcodes } from "../support/frames.ts";
import { deferred } from "../support/promises.ts";
import type { RawClient } from "../support/recipe_clients.ts";
import { turn } from "../support/turns.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { upgraded, withServer } from "../server/support.ts";

const { text, binary, continuation, close, ping, pong } = opcodes;

/** The close code of a server's last frame, whose payload may have a reason behind the code. */
function closeCode(client: RawClient): number {
  const { body } = client;
  for (let at = 0; at + 1 < body.length;) {
    const [opcode = 0, length = 0] = [(body[at] ?? 0) & 15, body[at + 1]];
    if (opcode === close) return length < 2 ? 1005 : body.readUInt16BE(at + 2);
    at += 2 + length;
  }
  return 1006;
}

interface Attack {
  readonly client: RawClient;
  readonly channel: ServerWebSocketChannel<Message | IncomingMessage, MessageInput>;
  message(): Promise<IncomingMessage>;
}

async function attacked(
  body: (attack: Attack) => Promise<void>,
  options: object = {},
  lines: string[] = [],
): Promise<void> {
  const guest = deferred<ServerWebSocketChannel>();
  const handler = async (channel: ServerWebSocketChannel): Promise<void> => {
    guest.resolve(channel);
    await channel.closed;
  };
  const given = { streamLargerThan: 0, maxMessageSize: Infinity, handler, ...options };
  await assertNoUncaught(() =>
    withServer(given, async (server: WebSocketServer) => {
      const client = await upgraded(server, lines);
      const ended = client.end().then(() => client.socket.end());
      const channel = (await guest.promise).cast<Message | IncomingMessage, MessageInput>();
      const message = async (): Promise<IncomingMessage> => {
        const { value } = await channel.stream.next();
        assert(typeof value === "object" && "readable" in value);
        return value;
      };
      await body({ client, channel, message });
      channel.terminate();
      await ended;
      await client.destroy();
    })
  );
}

async function sizeOf({ readable }: IncomingMessage): Promise<number> {
  let size = 0;
  for await (const part of readable) size += part.length;
  return size;
}

function many(frame: Uint8Array, count: number): Uint8Array {
  return joined(Array.from({ length: count }, () => frame));
}

Deno.test("large attack: empty fragments, and fragments of one byte, use bounded memory and are counted correctly", async () => {
  await attacked(async ({ client, message }) => {
    client.send(binary, "x", false);
    const first = await message();
    client.socket.write(many(clientFrame({ opcode: continuation, fin: false }), 100_000));
    client.socket.write(
      many(clientFrame({ opcode: continuation, payload: "y", fin: false }), 100_000),
    );
    client.send(continuation, "", true);
    client.send(text, "behind");
    assertEquals(await sizeOf(first), 100_001);
    assertEquals(first.received, 100_001);
    assertEquals(await sizeOf(await message()), 6);
  });
});

Deno.test("large attack: text with invalid UTF-8 at its end, behind delivered parts", async () => {
  await attacked(async ({ client, channel, message }) => {
    client.send(text, "a".repeat(10_000_000), false);
    const it = await message();
    const reading = sizeOf(it);
    reading.catch(() => {});
    client.send(continuation, Uint8Array.of(0xe2, 0x82), true);
    await assertRejects(() => reading, Error, "UTF-8");
    await assertRejects(() => it.done, Error, "UTF-8");
    assert(it.received >= 9_000_000);
    assertEquals((await channel.closed).initiator, "protocol-error");
    assertEquals(closeCode(client), 1007);
  });
});

Deno.test("large attack: a bomb of 1 GB ends at maxMessageSize", async () => {
  const block = deflateRawSync(new Uint8Array(1_000_000), { finishFlush: 2 });
  const bomb = joined(Array.from({ length: 1000 }, () => new Uint8Array(block)));
  await attacked(
    async ({ client, channel, message }) => {
      client.socket.write(clientFrame({ opcode: binary, payload: bomb, rsv: 4 }));
      const it = await message();
      await assertRejects(() => sizeOf(it), Error, "maxMessageSize");
      assert(it.received <= 2_000_000, `${it.received}`);
      await channel.closed;
      assertEquals(closeCode(client), 1009);
    },
    { maxMessageSize: 2_000_000, compression: true },
    ["Sec-WebSocket-Extensions: permessage-deflate"],
  );
});

Deno.test("large attack: a Close in the middle is answered with its code, and reading the message fails", async () => {
  await attacked(async ({ client, channel, message }) => {
    client.send(binary, "begun", false);
    const it = await message();
    client.send(close, Uint8Array.of(0x0f, 0xa1));
    await assertRejects(() => sizeOf(it), Error, "closed (4001) in the middle of it");
    await assertRejects(() => it.done, Error);
    assertEquals((await channel.closed).code, 4001);
    assertEquals(closeCode(client), 4001);
  });
});

Deno.test("large attack: Pings in the middle are answered, also while the message has no reader", async () => {
  await attacked(async ({ client, channel, message }) => {
    client.send(binary, "begun", false);
    const it = await message();
    client.socket.write(many(clientFrame({ opcode: ping, payload: "p" }), 10_000));
    while (client.body.length < 3) await turn();
    assertEquals((client.body[0] ?? 0) & 15, pong);
    client.send(continuation, "", true);
    assertEquals(await sizeOf(it), 5);
    assertEquals(channel.state, "open");
  });
});

Deno.test("large attack: another message, or a continuation without a first frame, causes 1002", async () => {
  await attacked(async ({ client, message, channel }) => {
    client.send(binary, "begun", false);
    const it = await message();
    client.send(text, "between");
    await assertRejects(() => sizeOf(it), Error, "broke the protocol");
    await channel.closed;
    assertEquals(closeCode(client), 1002);
  });
});

Deno.test("large messages: a reader cancels before any content, twice, and after the end", async () => {
  await attacked(async ({ client, message }) => {
    client.send(binary, "x", false);
    const it = await message();
    it.cancel();
    it.cancel();
    client.send(continuation, "rest", true);
    await it.done;
    it.cancel();
    assertEquals(await it.readable.next(), { done: true, value: undefined });
    client.send(text, "next");
    const next = await message();
    assertEquals(await sizeOf(next), 4);
    next.cancel();
    // A message allows only one reader.
    assertThrows(() => next.readable.listen(() => {}), DOMException, "reader");
    assertThrows(() => next.readable[Symbol.asyncIterator](), DOMException);
  });
});

Deno.test("large messages: sources that are locked, used twice, throw at once, or are empty, have no other effect", async () => {
  await attacked(async ({ client, channel }) => {
    const { sink } = channel;
    const locked = new ReadableStream<string>();
    locked.getReader();
    assertThrows(() => sink.addMessage(locked, { kind: "text" }), TypeError);
    const throwing = {
      [Symbol.asyncIterator]: (): AsyncIterator<string> => {
        throw new Error("no iterator");
      },
    };
    assertThrows(() => sink.addMessage(throwing, { kind: "text" }), Error, "no iterator");
    const twice = new ReadableStream<string>({ start: (it) => (it.enqueue("once"), it.close()) });
    const first = sink.addMessage(twice, { kind: "text" });
    assertThrows(() => sink.addMessage(twice, { kind: "text" }), TypeError);
    const empty = sink.addMessage(["", "", ""], { kind: "text" });
    const surrogates = sink.addMessage(["\ud83c", "", "\udfa8\ud83c", "x"], { kind: "text" });
    // Messages added meanwhile are queued in order.
    sink.add("behind");
    await Promise.all([first, empty, surrogates, sink.flush()]);
    assertEquals(channel.state, "open");
    const wanted = ["once", "🎨\ufffdx", "behind"].map(utf8).map((it) => it.length);
    let seen: number[] = [];
    while (seen.reduce((sum, it) => sum + it, 0) < wanted.reduce((sum, it) => sum + it, 0)) {
      await turn();
      seen = payloads(client);
    }
    assertEquals(new TextDecoder().decode(contents(client)), "once🎨\ufffdxbehind");
  });
});

Deno.test("large messages: an endless source of empty chunks leaves the event loop free, and can be cancelled", async () => {
  await attacked(async ({ channel }) => {
    for (const value of ["", new Uint8Array()]) {
      // An iterator without `return`.
      const endless = { [Symbol.iterator]: () => ({ next: () => ({ done: false, value }) }) };
      const control = new AbortController();
      const { signal } = control;
      const sent = channel.sink.addMessage(endless, { kind: "text", signal });
      setTimeout(() => control.abort(new Error("given up")));
      await assertRejects(() => sent, Error, "given up");
      assertEquals(channel.state, "open");
    }
  });
});

Deno.test("large messages: a server that drains during an endless message closes within drainTimeout", async () => {
  await attacked(async ({ client, channel }) => {
    let cancelled = 0;
    const source = new ReadableStream<string>({
      start: (it) => it.enqueue("begun"),
      cancel: () => void cancelled++,
    });
    const sent = channel.sink.addMessage(source, { kind: "text" });
    while (client.body.length < 7) await turn();
    const closed = channel.sink.close(1001);
    assertThrows(() => channel.sink.add("late"), DOMException, "closed");
    client.send(close, Uint8Array.of(3, 233));
    await assertRejects(() => sent, Error, "in the middle of a message");
    await closed;
    assertEquals([cancelled, closeCode(client)], [1, 1001]);
  });
});

/** The small frames of a server, one after the other. */
function frames(client: RawClient): Uint8Array[] {
  const { body } = client;
  const found: Uint8Array[] = [];
  for (let at = 0; at + 1 < body.length;) {
    const end = at + 2 + (body[at + 1] ?? 0);
    found.push(new Uint8Array(body.subarray(at + 2, end)));
    at = end;
  }
  return found;
}

function payloads(client: RawClient): number[] {
  return frames(client).map((it) => it.length);
}

function contents(client: RawClient): Uint8Array {
  return joined(frames(client));
}
