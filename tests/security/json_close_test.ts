/** Malformed and invalid JSON documents over a WebSocket: the results for the peer and the user. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { type CloseInfo, WebSocketChannel } from "../../mod.ts";
import { type ServerWebSocketChannel, WebSocketServer } from "../../src/server/mod.ts";
import {
  DelegatingChannelSink,
  DelegatingStreamChannel,
  jsonDocument,
  MultiChannel,
  type StandardSchema,
  type StreamChannel,
  StreamChannelCompleter,
  StreamChannelTransformer,
  withCloseGuarantee,
  withGuarantees,
} from "../../src/stream_channel/mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { upgradeOnBun, upgradeOnDeno } from "../server/platform_servers.ts";
import { deferred } from "../support/promises.ts";

type Json = StreamChannel<unknown, unknown>;

const onlyNumbers: StandardSchema<unknown, number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      typeof value === "number" ? { value } : { issues: [{ message: "Not a number" }] },
  },
};

const onlyNumbersLater: StandardSchema<unknown, number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: async (value) => await onlyNumbers["~standard"].validate(value),
  },
};

/** Each way to use `jsonDocument` over a WebSocket channel. */
const COMPOSITIONS: Readonly<Record<string, (channel: WebSocketChannel) => Json>> = {
  "transform": (channel) => channel.transform(jsonDocument),
  "options": (channel) => channel.transform(jsonDocument({ malformed: "error" })),
  "withGuarantees": (channel) => withGuarantees(channel).transform(jsonDocument),
  "withCloseGuarantee": (channel) => withCloseGuarantee(channel).transform(jsonDocument),
  "a delegate": (channel) =>
    new DelegatingStreamChannel({
      stream: channel.stream,
      sink: new DelegatingChannelSink(channel.sink),
    }).transform(jsonDocument),
  "a completer": (channel) => {
    const completer = new StreamChannelCompleter<string | Uint8Array, string>();
    const json = completer.channel.transform(jsonDocument);
    completer.setChannel(channel);
    return json;
  },
  "two transformers": (channel) =>
    channel.transform(jsonDocument).transform(
      StreamChannelTransformer.fromCodec<unknown, unknown>({
        encode: (it) => it,
        decode: (it) => it,
      }),
    ),
  "transformStream": (channel) => channel.transformStream((it) => it).transform(jsonDocument),
  "transformSink": (channel) => channel.transformSink((it: string) => it).transform(jsonDocument),
  "changeSink": (channel) =>
    channel.changeSink<string>((sink) => new DelegatingChannelSink(sink)).transform(jsonDocument),
  "cast": (channel) => channel.transform(jsonDocument).cast<number>(),
};

/** The report of our side after an end with 1007. */
function assertRefused(info: CloseInfo, error: unknown): void {
  assertEquals(info.sent, { code: 1007, reason: "" });
  assertEquals([info.code, info.initiator, info.wasClean], [1007, "local", true]);
  assertStrictEquals(info.error, error);
}

async function errorOf(channel: Json): Promise<Error> {
  const error = await assertRejects(() => channel.stream.next());
  assertInstanceOf(error, Error);
  return error;
}

for (const [name, compose] of Object.entries(COMPOSITIONS)) {
  for (const side of ["client", "server"] as const) {
    Deno.test(`attack 64: malformed JSON ends the connection with 1007, ${name}, on the ${side}'s side`, () =>
      assertNoUncaught(async () => {
        const pair = webSocketChannelPair();
        const channel = pair[side];
        const peer = pair[side === "client" ? "server" : "client"];
        const json = compose(channel);
        peer.sink.add('{"secret":"hunter2",}');
        const error = await errorOf(json);
        assertInstanceOf(error, SyntaxError);
        assertEquals(
          error.message,
          "Cannot receive: the message is not JSON at line 1, column 21, expected a key in quotes",
        );
        assertRefused(await channel.closed, error);
        assertEquals((await peer.closed).code, 1007);
        assertEquals((await peer.closed).initiator, "remote");
        assertEquals((await peer.stream.next()).done, true);
      }));
  }
}

for (const [name, incoming] of Object.entries({ onlyNumbers, onlyNumbersLater })) {
  Deno.test(`attack 64: a value that the schema refuses ends the connection with 1007, ${name}`, async () => {
    const { client, server } = webSocketChannelPair();
    const json = server.transform(jsonDocument({ incoming }));
    client.sink.add("7");
    client.sink.add('{"secret":"hunter2"}');
    assertEquals((await json.stream.next()).value, 7);
    const error = await errorOf(json);
    assertEquals(error.name, "ValidationError");
    assertRefused(await server.closed, error);
    assertEquals((await client.closed).code, 1007);
  });
}

Deno.test("attack 64: bytes instead of JSON end the connection with 1007", async () => {
  const { client, server } = webSocketChannelPair();
  const json = server.transform(jsonDocument);
  client.sink.add(new Uint8Array(3));
  const error = await errorOf(json);
  assertRefused(await server.closed, error);
  assertEquals((await client.closed).code, 1007);
});

Deno.test("attack 64: a listener that closes on the error does not hide it", async () => {
  const { client, server } = webSocketChannelPair();
  const json = server.transform(jsonDocument);
  const told: unknown[] = [];
  json.stream.listen(() => {}, {
    onError: (error) => {
      told.push(error);
      void json.sink.close();
    },
  });
  client.sink.add("{");
  assertRefused(await server.closed, told[0]);
  assertEquals((await client.closed).code, 1007);
});

Deno.test("a decoder's error closes with its closeCode, or with 1011", async () => {
  for (const [closeCode, code] of [[4001, 4001], [undefined, 1011], [1005, 1011], ["x", 1011]]) {
    const { client, server } = webSocketChannelPair();
    const error = Object.assign(new Error("mine"), { closeCode });
    const channel = server.transformStream((): never => {
      throw error;
    });
    client.sink.add("hello");
    assertStrictEquals(await assertRejects(() => channel.stream.next()), error);
    const { sent, initiator, error: told } = await server.closed;
    assertEquals([sent?.code, initiator], [code, "local"]);
    assertStrictEquals(told, error);
    assertEquals((await client.closed).code, code);
  }
});

Deno.test("a platform's socket refuses an error's closeCode: it closes without a code", async () => {
  for (const [closeCode, closes] of [[1007, [[1007, ""], []]], [4001, [[4001, ""]]]] as const) {
    const socket = new FakeWebSocket();
    socket.refuses = (code) => code < 3000;
    const channel = WebSocketChannel.from(socket);
    const error = Object.assign(new Error("mine"), { closeCode });
    channel.sink.addError(error);
    assertEquals<unknown>(socket.closes, closes);
    assertEquals(channel.state, "closing");
    socket.closed({ code: 1005, reason: "", wasClean: true });
    const info = await channel.closed;
    assertStrictEquals(info.error, error);
    assertEquals([info.initiator, info.sent?.code], ["local", closeCode === 4001 ? 4001 : 1005]);
    assertEquals((await channel.stream.next()).done, true);
  }
});

Deno.test("an error whose closeCode can't be read closes with 1011", async () => {
  const { client, server } = webSocketChannelPair();
  server.sink.addError({
    get closeCode(): never {
      throw new Error("mine");
    },
  });
  assertEquals((await client.closed).code, 1011);
});

Deno.test("a decoder made of a TransformStream fails: the channel closes with the error", async () => {
  const { client, server } = webSocketChannelPair();
  const error = Object.assign(new Error("mine"), { closeCode: 4002 });
  const failing = (): TransformStream<unknown, string> =>
    new TransformStream({
      transform() {
        throw error;
      },
    });
  const channel = server.transform(
    StreamChannelTransformer.fromTransformStreams<unknown, string, string, string>(
      failing,
      () => new TransformStream(),
    ),
  );
  client.sink.add("hello");
  assertStrictEquals(await assertRejects(() => channel.stream.next()), error);
  assertEquals((await client.closed).code, 4002);
  assertStrictEquals((await server.closed).error, error);
});

Deno.test("a MultiChannel's peer that sends something other than [id, …] gets 1007", async () => {
  const { client, server } = webSocketChannelPair();
  const multi = new MultiChannel<unknown>(server.transform(jsonDocument));
  client.sink.add('{"not":"an array"}');
  const error = await assertRejects(() => multi.stream.next(), TypeError);
  assertRefused(await server.closed, error);
  assertEquals((await client.closed).code, 1007);
});

// Over real sockets: the peer is our own server or client, and the channel uses each of the transports.

for (const transport of ["net", "native"] as const) {
  Deno.test({
    name: `attack 64: malformed JSON over TCP, the client's side, ${transport}`,
    ignore: platform() === "browser" ||
      transport === "native" && globalThis.WebSocket === undefined,
    async fn() {
      const server = await WebSocketServer.bind({ hostname: "127.0.0.1", port: 0 });
      try {
        const { port } = server.address;
        const channel = WebSocketChannel.connect(`ws://127.0.0.1:${port}`, { transport });
        const accepted = await server[Symbol.asyncIterator]().next();
        assert(!accepted.done);
        accepted.value.sink.add("[1, 2");
        const error = await errorOf(channel.transform(jsonDocument));
        const info = await channel.closed;
        assertStrictEquals(info.error, error);
        assertEquals(info.initiator, "local");
        const { code } = await accepted.value.closed;
        // A platform's own WebSocket may refuse to send 1007: then there is no code.
        if (transport === "net") assertEquals(code, 1007);
        else assert(code === 1007 || code === 1005, `got ${code}`);
        assertEquals(info.sent?.code, code);
      } finally {
        await server.close();
      }
    },
  });
}

Deno.test({
  name: "attack 64: malformed JSON over TCP, the server's side",
  ignore: platform() === "browser",
  async fn() {
    const server = await WebSocketServer.bind({ hostname: "127.0.0.1", port: 0 });
    try {
      const { port } = server.address;
      const client = WebSocketChannel.connect(`ws://127.0.0.1:${port}`, { transport: "net" });
      client.sink.add("nonsense");
      const accepted = await server[Symbol.asyncIterator]().next();
      assert(!accepted.done);
      const error = await errorOf(accepted.value.transform(jsonDocument));
      assertRefused(await accepted.value.closed, error);
      assertEquals((await client.closed).code, 1007);
    } finally {
      await server.close();
    }
  },
});

Deno.test({
  name: "attack 64: malformed JSON over TCP, the server's side on the platform's own upgrade",
  ignore: platform() !== "deno" && platform() !== "bun",
  async fn() {
    const accepted = deferred<ServerWebSocketChannel>();
    const upgrade = platform() === "bun" ? upgradeOnBun : upgradeOnDeno;
    const server = upgrade({}, (channel) => void (channel !== null && accepted.resolve(channel)));
    try {
      const client = WebSocketChannel.connect(`ws://127.0.0.1:${server.port}`, {
        transport: "net",
      });
      client.sink.add("nonsense");
      const channel = await accepted.promise;
      const error = await errorOf(channel.transform(jsonDocument));
      const info = await channel.closed;
      assertStrictEquals(info.error, error);
      assertEquals(info.initiator, "local");
      const { code } = await client.closed;
      // A platform's own WebSocket may refuse to send 1007: then there is no code.
      assert(code === 1007 || code === 1005, `got ${code}`);
      assertEquals(info.sent?.code, code);
    } finally {
      await server.stop(true);
    }
  },
});
