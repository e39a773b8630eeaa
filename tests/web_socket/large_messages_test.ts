/** Messages that are sent and received as streams: every combination in memory, and every way to end in the middle. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  type AddMessageOptions,
  type IncomingMessage,
  type Message,
  type MessageSource,
  UnsupportedError,
  WebSocketChannel,
} from "../../mod.ts";
import { channelPair } from "../../src/stream_channel/mod.ts";
import { zlibAbilities } from "../../src/permessage_deflate/deflate.ts";
import { joined, utf8 } from "../support/bytes.ts";
import { turn, until } from "../support/turns.ts";
import { assertNoUncaught } from "../support/unhandled.ts";

const LIMIT = 1000;

type Streaming = WebSocketChannel<Message | IncomingMessage>;

interface Pair {
  client: Streaming;
  server: Streaming;
}

const COMPRESSIONS: readonly string[] = zlibAbilities().available
  ? [
    "",
    "permessage-deflate",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
  ]
  : [""];

const pairs: Pair[] = [];

/** Defines a test whose channels end with it. */
function test(name: string, body: () => Promise<void>): void {
  Deno.test(`large messages${name}`, async () => {
    try {
      await body();
    } finally {
      for (const { client, server } of pairs) {
        client.terminate();
        server.terminate();
      }
      for (const { client, server } of pairs.splice(0)) {
        await Promise.all([client.closed, server.closed]);
      }
      await turn();
    }
  });
}

function pair(extensions = "", options: object = {}): Pair {
  const { local, foreign } = channelPair<Uint8Array>();
  const given = { extensions, streamLargerThan: LIMIT, maxMessageSize: Infinity, ...options };
  const both: Pair = {
    client: WebSocketChannel.over(local, { ...given, side: "client" }),
    server: WebSocketChannel.over(foreign, { ...given, side: "server" }),
  };
  pairs.push(both);
  return both;
}

/** Reads a message to its end, either whole or in parts. */
async function read(message: Message | IncomingMessage): Promise<[how: string, bytes: Uint8Array]> {
  if (typeof message === "string") return ["text whole", utf8(message)];
  if (message instanceof Uint8Array) return ["binary whole", new Uint8Array(message)];
  const parts: Uint8Array[] = [];
  for await (const part of message.readable) {
    assert(part.length > 0);
    parts.push(typeof part === "string" ? utf8(part) : part);
  }
  await message.done;
  const bytes = joined(parts);
  assertEquals(message.received, bytes.length);
  return [`${message.kind} parts`, bytes];
}

async function next(channel: Streaming): Promise<Message | IncomingMessage> {
  const { value } = await channel.stream.next();
  assert(value !== undefined);
  return value;
}

async function nextLarge(channel: Streaming): Promise<IncomingMessage> {
  const message = await next(channel);
  assert(typeof message === "object" && "readable" in message);
  return message;
}

const TEXT = "aé€🎨 ".repeat(30_000);

/** Creates content of a kind, with `size` bytes. */
function contentOf(kind: "text" | "binary", size: number): Uint8Array {
  if (kind === "binary") return Uint8Array.from({ length: size }, (_, i) => i * i >> 3);
  const whole = utf8(TEXT.slice(0, size));
  // ASCII bytes fill the text up to the exact size.
  const text = new TextDecoder().decode(whole.subarray(0, size)).replace(/\ufffd/g, "");
  const bytes = utf8(text);
  return joined([bytes, new Uint8Array(size - bytes.length).fill(97)]);
}

function chunksOf(bytes: Uint8Array, size: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  return chunks;
}

for (const extensions of COMPRESSIONS) {
  for (const kind of ["text", "binary"] as const) {
    const name = `${kind}, ${extensions || "uncompressed"}`;
    test(`, ${name}: every size and fragment, both ways`, async () => {
      const { client, server } = pair(extensions);
      for (const [from, to] of [[client, server], [server, client]] as const) {
        for (const size of [0, 1, LIMIT - 1, LIMIT, LIMIT + 1, 65_536, 65_537, 300_001]) {
          const bytes = contentOf(kind, size);
          for (const chunk of size > 2000 ? [9973, size] : [1, 7, size + 1]) {
            const chunks = chunksOf(bytes, chunk);
            // Empty chunks do not become fragments of their own.
            const sent = from.sink.addMessage([new Uint8Array(), ...chunks], { kind });
            from.sink.add("behind it");
            const [how, got] = await read(await next(to));
            const expected = size > LIMIT ? "parts" : "whole";
            assertEquals([how, got.length], [`${kind} ${expected}`, size], `chunks of ${chunk}`);
            assertEquals(got, bytes);
            assertEquals(await next(to), "behind it");
            await sent;
          }
        }
      }
      // The receiver treats a message from `add` in the same way.
      const whole = contentOf(kind, 200_000);
      client.sink.add(kind === "text" ? new TextDecoder().decode(whole) : whole);
      assertEquals(await read(await next(server)), [`${kind} parts`, whole]);
      await client.sink.close(1000);
      const { wasClean, error } = await server.closed;
      assertEquals([wasClean, error], [true, undefined]);
    });
  }
}

test(": text may be cut anywhere, as strings and as bytes", async () => {
  const { client, server } = pair();
  const text = "🎨é€\ud83c".repeat(400) + "x";
  const expected = text.replace(/\ud83c(?!\udfa8)/g, "\ufffd");
  const units = [...Array(text.length).keys()].map((i) => text.charAt(i));
  const bytes = chunksOf(utf8(expected), 1);
  const mixed = [
    "\ud83c",
    utf8("é"),
    "\ud83c",
    "\udfa8",
    utf8("€").subarray(0, 1),
    utf8("€").subarray(1),
    "\ud83c",
  ];
  for (
    const [source, wanted] of [[units, expected], [bytes, expected], [
      [...mixed, "a".repeat(LIMIT)],
      "\ufffdé🎨€\ufffd" + "a".repeat(LIMIT),
    ]] as const
  ) {
    const sent = client.sink.addMessage(source, { kind: "text" });
    const message = await nextLarge(server);
    assertEquals(message.kind, "text");
    let got = "";
    for await (const part of message.readable) got += part;
    assertEquals(got, wanted);
    await sent;
  }
});

test(": other messages wait behind it, but Pings do not", async () => {
  const { client, server } = pair();
  let go = () => {};
  const gate = new Promise<void>((resolve) => go = resolve);
  const sent = client.sink.addMessage(
    async function* () {
      yield "x".repeat(2000);
      await gate;
      yield "y";
    }(),
    { kind: "text" },
  );
  assert(client.sink.add("second"));
  const third = client.sink.addMessage(["thi", "rd"], { kind: "text" });
  client.sink.add(Uint8Array.of(4));
  assertEquals(client.sink.bufferedAmount, 7);
  const flushed = client.sink.flush();
  const message = await nextLarge(server);
  const content = message.readable as AsyncIterable<string>;
  const parts = content[Symbol.asyncIterator]();
  assertEquals((await parts.next()).value, "x".repeat(2000));
  // Both ways, in the middle of the message.
  await client.ping();
  await server.ping();
  assert(client.pong());
  go();
  assertEquals((await parts.next()).value, "y");
  assertEquals((await parts.next()).done, true);
  await Promise.all([sent, third, flushed, message.done]);
  assertEquals([await next(server), await next(server), await next(server)], [
    "second",
    "third",
    Uint8Array.of(4),
  ]);
  assertEquals(client.sink.bufferedAmount, 0);
});

test(": a message that is added while connecting keeps its position", async () => {
  const { local, foreign } = channelPair<Uint8Array>();
  const client = WebSocketChannel.connectOver(local, "ws://localhost/");
  client.sink.add("first");
  const sent = client.sink.addMessage(["sec", "ond"], { kind: "text" });
  client.sink.add("third");
  const got: Uint8Array[] = [];
  const { stream, sink } = foreign;
  const request = new TextDecoder().decode((await stream.next()).value);
  const key = /sec-websocket-key: (.*)\r/i.exec(request)?.[1] ?? "";
  sink.add(utf8(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${WebSocketChannel.signKey(key)}\r\n\r\n`,
  ));
  await sent;
  await client.sink.flush();
  while (joined(got).length < 3 * 6 + 5 + 6 + 5 + 6) {
    got.push((await stream.next()).value ?? assert(false) as never);
  }
  const opcodes = joined(got);
  assertEquals(opcodes[0], 0x81);
  assertEquals(opcodes[11], 0x01);
  client.terminate();
});

test(": the source is cancelled when connecting fails", async () => {
  await assertNoUncaught(async () => {
    const { local } = channelPair<Uint8Array>();
    const client = WebSocketChannel.connectOver(local, "ws://localhost/");
    let cancelled = false;
    const source = new ReadableStream<string>({ cancel: () => void (cancelled = true) });
    const sent = client.sink.addMessage(source, { kind: "text" });
    client.terminate();
    await assertRejects(() => sent, DOMException, "closed meanwhile");
    assert(cancelled);
  });
});

test(": a slow reader holds up the sender, and both ends buffer little", async () => {
  for (const extensions of COMPRESSIONS) {
    const { client, server } = pair(extensions);
    let given = 0;
    const sent = client.sink.addMessage(
      async function* () {
        // Each chunk has different bytes, because compression would shrink repeated ones to almost nothing.
        for (; given < 500; given++) yield crypto.getRandomValues(new Uint8Array(10_000));
      }(),
      { kind: "binary" },
    );
    const message = await nextLarge(server);
    for (let i = 0; i < 50; i++) await turn();
    assert(given < 60, `${given} chunks were taken`);
    let size = 0;
    for await (const part of message.readable) size += part.length;
    assertEquals(size, 5_000_000);
    await sent;
  }
});

test(": a decompression bomb stays compressed until it is read, and counts with its compressed size", async () => {
  if (COMPRESSIONS.length === 1) return;
  const { client, server } = pair("permessage-deflate");
  client.sink.add(new Uint8Array(50_000_000));
  const message = await nextLarge(server);
  for (let i = 0; i < 50; i++) await turn();
  assert(message.received < 2_000_000, `${message.received} bytes were decompressed`);
  let size = 0;
  for await (const part of message.readable) size += part.length;
  assertEquals(size, 50_000_000);
  client.sink.add("behind it");
  assertEquals(await next(server), "behind it");
});

test(": the channel skips a cancelled message, and delivers the next one", async () => {
  for (const extensions of COMPRESSIONS) {
    for (const how of ["cancel", "break", "discard", "main"]) {
      const { client, server } = pair(extensions);
      const sent = client.sink.addMessage(chunksOf(contentOf("text", 500_000), 50_000), {
        kind: "text",
      });
      client.sink.add("behind it");
      if (how === "main") {
        // A reader that discards messages also discards their parts.
        server.stream.discard();
        await sent;
        await client.sink.flush();
        await client.ping();
        continue;
      }
      const message = await nextLarge(server);
      if (how === "cancel") message.cancel();
      else if (how === "discard") message.readable.discard();
      else for await (const _ of message.readable) break;
      await message.done;
      assertEquals(await next(server), "behind it");
      await sent;
    }
  }
});

test(": the channel skips a message without a reader when the channel's reader leaves", async () => {
  const { client, server } = pair();
  client.sink.add("first");
  const sent = client.sink.addMessage(chunksOf(new Uint8Array(500_000), 50_000), {
    kind: "binary",
  });
  for await (const _ of server.stream) {
    for (let i = 0; i < 20; i++) await turn();
    break;
  }
  await sent;
  await client.ping();
});

test(": a message can be read to its end after the channel's reader has left", async () => {
  const { client, server } = pair();
  const sent = client.sink.addMessage(chunksOf(new Uint8Array(500_000), 50_000), {
    kind: "binary",
  });
  let message: IncomingMessage | undefined;
  for await (const it of server.stream) {
    message = it as IncomingMessage;
    break;
  }
  let size = 0;
  for await (const part of message?.readable ?? []) size += part.length;
  assertEquals(size, 500_000);
  await sent;
});

test(": maxMessageSize applies to it, compressed or not", async () => {
  for (const extensions of COMPRESSIONS) {
    for (const chunk of [5000, 100_000]) {
      const { client, server } = pair(extensions, { maxMessageSize: 50_000 });
      const bytes = contentOf("binary", 100_000);
      const sent = client.sink.addMessage(chunksOf(bytes, chunk), { kind: "binary" });
      const info = await client.closed;
      assertEquals(info.code, 1009);
      await sent.catch(() => {});
      const first = await server.stream.next().catch(() => undefined);
      const message = first?.value as IncomingMessage | undefined;
      if (message !== undefined) {
        await assertRejects(() => read(message), Error, "maxMessageSize");
        await assertRejects(() => message.done, Error, "maxMessageSize");
      }
      const { error, initiator } = await server.closed;
      assertStringIncludes(String(error), "exceeds maxMessageSize (50000 bytes)");
      assertEquals(initiator, "local");
    }
  }
});

test(": text that is not UTF-8 fails the connection in the middle", async () => {
  for (const extensions of COMPRESSIONS) {
    const { client, server } = pair(extensions, { invalidText: "fail" });
    // The sender checks its text too, so it never sends these bytes.
    const bad = joined([utf8("a".repeat(5000)), Uint8Array.of(0xff), utf8("b".repeat(5000))]);
    await assertRejects(
      () => client.sink.addMessage([bad], { kind: "text" }),
      TypeError,
      "not UTF-8",
    );
    assertEquals((await server.closed).code, 1011);
    assertInstanceOf((await client.closed).error, TypeError);
  }
});

const cut: [name: string, source: () => MessageSource, error: string][] = [
  ["fails", async function* () {
    yield "x".repeat(5000);
    await turn();
    throw new Error("the disk is gone");
  }, "the disk is gone"],
  ["fails at once", () =>
    new ReadableStream<string>({
      pull: (control) => control.error(new Error("the disk is gone")),
    }), "the disk is gone"],
  ["is a ReadableStream that fails", () =>
    new ReadableStream<string>({
      start: (control) => control.enqueue("x".repeat(5000)),
      pull: (control) => turn().then(() => control.error(new Error("the disk is gone"))),
    }), "the disk is gone"],
  ["yields a number", async function* () {
    yield "x".repeat(5000);
    yield 42 as never;
  }, "a message must be a string, an ArrayBuffer or a view of one, got 42"],
  ["ends within a code point", () => [utf8("€").subarray(0, 2)], "not UTF-8"],
];
for (const [name, source, text] of cut) {
  test(`: a source that ${name} ends the connection with 1011`, async () => {
    await assertNoUncaught(async () => {
      const { client, server } = pair();
      const sent = client.sink.addMessage(source(), { kind: "text" });
      client.sink.add("never sent");
      await assertRejects(() => sent, Error, text);
      const first = await server.stream.next();
      if (first.value !== undefined) {
        const message = first.value as IncomingMessage;
        await assertRejects(() => read(message), Error, "in the middle of it");
        await assertRejects(() => message.done, Error, "closed (1011) in the middle of it");
      }
      assertEquals((await server.closed).code, 1011);
      const info = await client.closed;
      assertStringIncludes(String(info.error), text);
      assertEquals(info.dropped, 10);
      await assertRejects(() => client.sink.done, Error, text);
    });
  });
}

test(": a signal keeps the connection if nothing was sent, and ends it otherwise", async () => {
  await assertNoUncaught(async () => {
    const { client, server } = pair();
    const why = new Error("changed my mind");
    const gone = AbortSignal.abort(why);
    await assertRejects(
      () => client.sink.addMessage(["x"], { kind: "text", signal: gone }),
      Error,
      "changed my mind",
    );
    const early = new AbortController();
    let cancelled = 0;
    const silent = () => new ReadableStream<string>({ cancel: () => void cancelled++ });
    const waiting = client.sink.addMessage(silent(), { kind: "text", signal: early.signal });
    await turn();
    early.abort(why);
    await assertRejects(() => waiting, Error, "changed my mind");
    assertEquals(cancelled, 1);
    client.sink.add("unharmed");
    assertEquals(await next(server), "unharmed");

    const late = new AbortController();
    const source = async function* () {
      yield "x".repeat(5000);
      await new Promise(() => {});
    };
    const sent = client.sink.addMessage(source(), { kind: "text", signal: late.signal });
    const message = await nextLarge(server);
    late.abort(why);
    await assertRejects(() => sent, Error, "changed my mind");
    await assertRejects(() => read(message), Error, "in the middle of it");
    assertEquals((await server.closed).code, 1011);
    assertEquals((await client.closed).error, why);
  });
});

const endings: [name: string, end: (pair: Pair) => void, sender: string, code: number][] = [
  [
    "the sender closes",
    ({ client }) => void client.sink.close(1000),
    "the channel ended in the middle of a message",
    1000,
  ],
  [
    "the receiver closes",
    ({ server }) => void server.sink.close(1000, "enough"),
    "the peer closed with 1000",
    1000,
  ],
  ["the sender terminates", ({ client }) => client.terminate(), "in the middle of a message", 1006],
  ["the receiver terminates", ({ server }) => server.terminate(), "The connection was lost", 1006],
];
for (const [name, end, sender, code] of endings) {
  for (const extensions of COMPRESSIONS) {
    test(`, ${extensions || "uncompressed"}: ${name} in the middle`, async () => {
      await assertNoUncaught(async () => {
        const both = pair(extensions);
        const { client, server } = both;
        client.stream.discard();
        let cancelled = false;
        const sent = client.sink.addMessage(
          async function* () {
            try {
              for (;;) yield "x".repeat(5000);
            } finally {
              cancelled = true;
            }
          }(),
          { kind: "text" },
        );
        const later = client.sink.addMessage(["y"], { kind: "text" });
        client.sink.add("unsent");
        const message = await nextLarge(server);
        const reading = read(message);
        reading.catch(() => {});
        end(both);
        await assertRejects(() => reading, Error);
        await assertRejects(() => message.done, Error);
        await assertRejects(() => sent, Error);
        await assertRejects(() => later, Error);
        const info = await client.closed;
        assertStringIncludes(String(info.error), sender);
        assert((info.dropped ?? 0) >= 6);
        await until(() => cancelled);
        assertEquals(
          (await server.closed).code,
          code === 1000 && name.startsWith("the receiver") ? 1000 : code,
        );
      });
    });
  }
}

test(": queued messages that are complete can still be read after the connection has ended", async () => {
  const { client, server } = pair();
  await client.sink.addMessage(["x".repeat(2000)], { kind: "text" });
  void client.sink.close(1000);
  const message = await nextLarge(server);
  await message.done;
  assertEquals((await read(message))[1].length, 2000);
  assertEquals((await server.stream.next()).done, true);
  assertEquals((await server.closed).code, 1000);
});

test(": pause and resume work with listen, as with any stream", async () => {
  const { client, server } = pair();
  const seen: (string | number)[] = [];
  server.stream.listen((message) => {
    if (typeof message === "string") return void seen.push(message);
    if (message instanceof Uint8Array) return;
    let size = 0;
    const parts = message.readable.listen((part: string | Uint8Array) => {
      size += part.length;
      parts.pause();
      queueMicrotask(() => parts.resume());
    }, { onDone: () => seen.push(size) });
  });
  for (let i = 0; i < 3; i++) {
    await client.sink.addMessage(chunksOf(new Uint8Array(300_000), 1000), { kind: "binary" });
    client.sink.add(`${i}`);
  }
  await until(() => seen.length === 6);
  assertEquals(seen, [300_000, "0", 300_000, "1", 300_000, "2"]);
});

test(": an invalid source or option is a TypeError, and the channel stays usable", async () => {
  const { client, server } = pair();
  const add = (source: unknown, options: unknown) =>
    client.sink.addMessage(source as MessageSource, options as AddMessageOptions);
  assertThrows(() => add("text", { kind: "text" }), TypeError, "Text is one message: use add");
  assertThrows(
    () => add(new Uint8Array(1), { kind: "binary" }),
    TypeError,
    "Bytes are one message",
  );
  assertThrows(
    () => add(null, { kind: "text" }),
    TypeError,
    "Cannot add a message: the source must be",
  );
  assertThrows(() => add([], undefined), TypeError, "kind");
  assertThrows(() => add([], {}), TypeError, "kind");
  assertThrows(() => add([], { kind: "json" }), TypeError, "kind");
  assertThrows(() => add([], { kind: "text", signals: 1 }), TypeError, "signals");
  const adding = client.sink.addStream(new ReadableStream<string>());
  assertThrows(() => add([], { kind: "text" }), DOMException, "an addStream is running");
  adding.catch(() => {});
  const other = pair();
  void other.client.sink.close();
  assertThrows(
    () => other.client.sink.addMessage([], { kind: "text" }),
    DOMException,
    "the sink is closed",
  );
  server.terminate();
  await client.closed;
  let cancelled = false;
  const source = new ReadableStream<string>({ cancel: () => void (cancelled = true) });
  await adding.catch(() => {});
  await assertRejects(() => client.sink.addMessage(source, { kind: "text" }), Error);
  assert(cancelled);
  assertThrows(
    () => pair("", { invalidText: "bytes" }),
    TypeError,
    'streamLargerThan needs invalidText "fail" or "replace"',
  );
});

test(": an addStream at the same time waits for it", async () => {
  const { client, server } = pair();
  const sent = client.sink.addMessage(chunksOf(new Uint8Array(200_000), 20_000), {
    kind: "binary",
  });
  const added = client.sink.addStream(["a", "b"]);
  const message = await nextLarge(server);
  assertEquals((await read(message))[1].length, 200_000);
  assertEquals([await next(server), await next(server)], ["a", "b"]);
  await Promise.all([sent, added]);
});

test(": it works with replaced text, a transformed channel, and options of one message", async () => {
  const { client, server } = pair(COMPRESSIONS.at(1), { invalidText: "replace" });
  const derived = client.cast<string, string>();
  const parts = [utf8("é"), "x".repeat(3000)];
  await derived.sink.addMessage(parts, { kind: "text", compress: false });
  assertEquals((await read(await next(server)))[0], "text parts");
});

test(": a transport without the capability throws an UnsupportedError", async () => {
  const socket = {
    readyState: 1,
    binaryType: "blob",
    bufferedAmount: 0,
    protocol: "",
    extensions: "",
    url: "",
    send() {},
    close() {},
    addEventListener() {},
    removeEventListener() {},
  };
  const channel = WebSocketChannel.from(socket as never, { closeTimeout: 0 });
  assertThrows(
    () => channel.sink.addMessage([], { kind: "text" }),
    UnsupportedError,
    "messageStreams",
  );
  assertEquals(channel.capabilities.messageStreams, false);
  channel.terminate();
  await channel.closed;
});
