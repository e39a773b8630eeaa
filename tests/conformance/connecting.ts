import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { ConnectError, WebSocketChannel, WebSocketChannelError } from "../../mod.ts";
import type { RecipeName, RecipeOptions } from "../support/recipes.ts";
import { assertInvalidState } from "../support/events.ts";
import { assertEchoes, closing, collect, type Context, type Suite } from "./suite.ts";
import { rejection } from "../support/promises.ts";

/** The result of a failed attempt: one error for both `ready` and the stream, and `closed`. */
async function assertFails(
  channel: WebSocketChannel,
  initiator: "transport" | "timeout" | "local" = "transport",
): Promise<unknown> {
  const [{ messages, errors }, error] = await Promise.all([
    collect(channel),
    rejection(channel.ready),
  ]);
  assertEquals(messages, []);
  assertEquals(errors.length, 1);
  assertStrictEquals(errors[0], error);
  assertStrictEquals((await channel.closed).error, error);
  assertEquals(await closing(channel), { code: 1006, reason: "", wasClean: false, initiator });
  assertEquals(channel.state, "closed");
  assertEquals(channel.closeCode, 1006);
  assertEquals(channel.sink.add("dropped"), false);
  await channel.sink.done;
  return error;
}

/** The URL of a port without a listener. */
async function refusingUrl(context: Context): Promise<string> {
  const server = await context.start("silent");
  const { url } = server;
  await server.close();
  return url;
}

/** Opening a connection, and each way in which it fails. */
export function testConnecting({ test, traits }: Suite): void {
  test("C45 S97 connect returns at once, ready fulfils when the channel is open", async (context) => {
    const { channel } = await context.meet("echo");
    assertEquals(channel.state, "connecting");
    assertEquals([channel.protocol, channel.closeCode, channel.closeReason], [null, null, null]);
    await channel.ready;
    assertEquals(channel.state, "open");
    assertStrictEquals(channel.ready, channel.ready);
    assertStrictEquals(channel.stream, channel.stream);
    assertStrictEquals(channel.sink, channel.sink);
  });

  test("C19 (changed) connect treats http: as ws:", async (context) => {
    const server = await context.start("echo");
    const channel = context.connect(server.url.replace("ws:", "http:"));
    await channel.ready;
    await assertEchoes(channel, "hello");
  });

  test("connect requests the URL's path and query", async (context) => {
    const server = await context.start("echo");
    const channel = context.connect(`${server.url}/a%20b/c?d=e&f=%C3%A9`);
    await channel.ready;
    assertEquals((await server.next("request")).path, "/a%20b/c?d=e&f=%C3%A9");
  });

  test("malformed arguments throw at once", (context) => {
    const connect = (url: string, options?: Parameters<Context["connect"]>[1]): unknown =>
      context.connect(url, options);
    // On a page, these are relative to the page's address.
    const relative = "location" in globalThis ? [] : ["", "no url"];
    for (
      const url of [
        ...relative,
        "ftp://localhost",
        "ws://localhost/#fragment",
        "ws://localhost/#",
        "ws://",
      ]
    ) {
      assertThrows(() => connect(url), SyntaxError, undefined, url);
    }
    const url = "ws://localhost";
    for (const protocols of [["a", "a"], [""], ["a b"], ["a,b"], ["é"], ["a\r\nb"]]) {
      assertThrows(() => connect(url, { protocols }), SyntaxError, undefined, protocols.join());
    }
    const fields = [["a b", "x"], ["", "x"], ["a", "x\r\ny"], ["a", "\0"], [
      "Sec-WebSocket-Key",
      "x",
    ], ["Upgrade", "x"]];
    for (const [name = "", value = ""] of fields) {
      assertThrows(() => connect(url, { headers: { [name]: value } }), TypeError, undefined, name);
    }
    for (const bad of [-1, NaN, 2 ** 40]) {
      assertThrows(() => connect(url, { connectTimeout: bad }), RangeError, "connectTimeout");
      assertThrows(() => connect(url, { closeTimeout: bad }), RangeError, "closeTimeout");
    }
    return Promise.resolve();
  });

  test("C44 connecting to an unknown host fails", async (context) => {
    const channel = context.connect("ws://no-such-host.invalid/");
    assertInstanceOf(await assertFails(channel), ConnectError);
  });

  test("G1 connection refused: ready and the stream get the same error", async (context) => {
    const channel = context.connect(await refusingUrl(context));
    const error = await assertFails(channel);
    assertInstanceOf(error, ConnectError);
    assertInstanceOf(error, WebSocketChannelError);
    assertNotEquals(error.message, "");
  });

  test("G2 connection refused, and no promise is handled: no unhandled rejection", async (context) => {
    await context.connect(await refusingUrl(context)).closed;
  });

  test("G4 close after a failed connection fulfils, with a reader and without", async (context) => {
    const url = await refusingUrl(context);
    const read = context.connect(url);
    await collect(read);
    await read.sink.close();
    const unread = context.connect(url);
    await unread.closed;
    await unread.sink.close(3000, "late");
    assertInvalidState(() => unread.sink.add("x"));
  });

  test("G4 S118 the connection fails: flush and addStream reject", async (context) => {
    const channel = context.connect(await refusingUrl(context), { highWaterMark: 4 });
    channel.sink.add("hello");
    const added = channel.sink.addStream(["world"]);
    const error = await rejection(channel.sink.flush());
    assertStrictEquals(error, await rejection(channel.ready));
    assertStrictEquals(await rejection(added), error);
    await channel.sink.ready;
  });

  test("G2 G30 whatever fails, and no promise is handled: the channel ends, no unhandled rejection", async (context) => {
    const options = { connectTimeout: 50, closeTimeout: 50, highWaterMark: 4 };
    const { url: refusing } = await context.start("http", { status: 401 });
    const { url: dead } = await context.start("silent");
    const { url: halfOpen } = await context.start("server-close-keeps-tcp");
    const { url: lost } = await context.start("destroy");
    for (const url of [await refusingUrl(context), refusing, dead, halfOpen, lost]) {
      const channel = context.connect(url, options);
      channel.sink.add("hello");
      void channel.sink.flush();
      void channel.sink.addStream(["world"]);
      void channel.ping();
      void channel.writable;
      const reader = context.connect(url, options);
      void reader.readable;
      const failing = context.connect(url, options);
      failing.sink.addError(new Error("my own"));
      for (const it of [channel, reader, failing]) await it.closed;
    }
  });

  const refusals: [
    name: string,
    recipe: RecipeName,
    options: RecipeOptions,
    status: number | null,
  ][] = [
    ["C21 an answer of 200", "http", { status: 200 }, 200],
    ["C67 G30 an answer of 404", "http", { status: 404, body: "not here" }, 404],
    ["G30 an answer of 401", "http", { status: 401 }, 401],
    ["C68 an answer of 500", "http", { status: 500 }, 500],
    ["C62 TCP ended at once", "accept-then-end", {}, null],
  ];
  if (traits.checksAccept) {
    refusals.push(["G30 attack 27: a wrong Sec-WebSocket-Accept", "bad-accept", {}, null]);
    refusals.push(["G30 attack 27: no Sec-WebSocket-Accept", "no-accept", {}, null]);
  }
  for (const [name, recipe, options, status] of refusals) {
    test(`${name} fails the connection`, async (context) => {
      const { channel } = await context.meet(recipe, options);
      const error = await assertFails(channel);
      assertInstanceOf(error, ConnectError);
      if (traits.tellsStatus && status !== null) assertEquals(error.status, status);
    });
  }

  test("G30 an answer of 302 fails the connection", async (context) => {
    const { channel } = await context.meet("http", {
      status: 302,
      headers: { Location: "ws://127.0.0.1:9/" },
    });
    assertInstanceOf(await assertFails(channel), ConnectError);
  });

  test("C71 a server that is too slow: a TimeoutError that names the phase if it is known", async (context) => {
    const { channel } = await context.meet("slow-upgrade", {}, { connectTimeout: 50 });
    const error = await assertFails(channel, "timeout");
    assertInstanceOf(error, DOMException);
    assertEquals(error.name, "TimeoutError");
    // A native socket doesn't report its phase.
    const phase = traits.ownProtocol ? ", in phase handshake" : "";
    assert(error.message.endsWith(`: it took longer than 50 ms${phase}`), error.message);
    assert(error.message.includes(channel.url), error.message);
  });

  test("G30 a server that never answers: TimeoutError, and the connection is destroyed", async (context) => {
    const { channel, server } = await context.meet("silent", {}, { connectTimeout: 50 });
    assertEquals((await assertFails(channel, "timeout") as Error).name, "TimeoutError");
    // A native socket can't be destroyed: the platform decides when it ends.
    if (traits.ownProtocol) await server.next("end");
  });

  test("G31 a signal that has already aborted: connect opens no connection", async (context) => {
    const server = await context.start("echo");
    const reason = new Error("not now");
    const channel = context.connect(server.url, { signal: AbortSignal.abort(reason) });
    assertStrictEquals(await assertFails(channel, "local"), reason);
    assertEquals((await server.stats()).connections, 0);
  });

  test("G31 a signal that aborts while connecting ends the attempt", async (context) => {
    const abort = new AbortController();
    const { channel, server } = await context.meet("silent", {}, { signal: abort.signal });
    if (traits.ownProtocol) await server.next("request").catch(() => {});
    const reason = new Error("enough");
    abort.abort(reason);
    assertStrictEquals(await assertFails(channel, "local"), reason);
  });

  test("G31 a signal that aborts after the connection is open has no effect", async (context) => {
    const abort = new AbortController();
    const { channel } = await context.open("echo", {}, { signal: abort.signal });
    abort.abort();
    await assertEchoes(channel, "still here");
  });

  test("connect waits for a slow server", async (context) => {
    const { channel, server } = await context.meet("slow-upgrade");
    await server.next("request");
    assertEquals(channel.state, "connecting");
    server.release();
    await channel.ready;
    await assertEchoes(channel, "hello");
  });

  if (traits.headers) {
    test("C43 C72 connect sends header fields", async (context) => {
      const { server } = await context.open("echo", {}, {
        headers: { "User-Agent": "custom", Fruit: "apple" },
      });
      const { headers } = await server.next("request");
      assertEquals(headers["fruit"], "apple");
      // Deno's own WebSocket puts its own User-Agent in front.
      assertEquals(headers["user-agent"]?.replace(/^Deno\/[\d.]+, /, ""), "custom");
    });

    test("user info in the URL becomes Basic credentials", async (context) => {
      const server = await context.start("echo");
      const channel = context.connect(server.url.replace("//", "//Aladdin:open%20sesame@"));
      await channel.ready;
      const { headers } = await server.next("request");
      assertEquals(headers["authorization"], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    });
  } else {
    test("W5 connect refuses header fields, and does not ignore them", async (context) => {
      const { channel } = await context.meet("echo", {}, { headers: { Fruit: "apple" } });
      const error = await assertFails(channel);
      assertEquals((error as Error).name, "UnsupportedError");
    });
  }

  testProtocols({ test, traits });
}

function testProtocols({ test }: Suite): void {
  test("C32 (changed) no subprotocol is offered, none is agreed", async (context) => {
    const { channel, server } = await context.open("proto");
    assertEquals((await server.next("request")).headers["sec-websocket-protocol"], undefined);
    assertEquals(channel.protocol, null);
  });

  test("C33 the server agrees to the only subprotocol offered", async (context) => {
    const server = await context.start("proto");
    const protocols = "chat.example.com";
    const channel = context.connect(`${server.url}/?protocol=chat.example.com`, { protocols });
    await channel.ready;
    const { lines } = await server.next("request");
    const values = lines.filter(([name]) => name.toLowerCase() === "sec-websocket-protocol");
    assertEquals(values.map(([, value]) => value), ["chat.example.com"]);
    assertEquals(channel.protocol, "chat.example.com");
  });

  test("C34 the server agrees to one of two offered subprotocols", async (context) => {
    const server = await context.start("proto");
    const protocols = ["chat.example.com", "text.example.com"];
    const channel = context.connect(`${server.url}/?protocol=text.example.com`, { protocols });
    await channel.ready;
    const { headers } = await server.next("request");
    assertEquals(
      headers["sec-websocket-protocol"]?.replace(/,\s*/, ", "),
      "chat.example.com, text.example.com",
    );
    assertEquals(channel.protocol, "text.example.com");
  });

  test("C69 the subprotocol stays readable after the channel has ended", async (context) => {
    const { channel } = await context.open("proto", { protocol: "passed-protocol" }, {
      protocols: ["passed-protocol"],
    });
    const collected = collect(channel);
    channel.sink.add("x");
    assertEquals((await collected).messages, ["x"]);
    assertEquals(channel.protocol, "passed-protocol");
  });

  const faults: [name: string, recipe: RecipeName, protocols: string[]][] = [
    ["C35 G29 a subprotocol that was not offered", "unoffered-protocol", ["chat.example.com"]],
    ["G29 a subprotocol although none was offered", "unoffered-protocol", []],
    ["G29 no subprotocol although some were offered", "no-protocol", ["chat.example.com"]],
  ];
  for (const [name, recipe, protocols] of faults) {
    test(`${name} fails the connection`, async (context) => {
      const { channel } = await context.meet(recipe, {}, { protocols });
      assertInstanceOf(await assertFails(channel), ConnectError);
    });
  }

  test("open waits for the connection, and throws the error of a failed attempt", async (context) => {
    const server = await context.start("echo");
    const channel = await WebSocketChannel.open(server.url);
    assertEquals(channel.state, "open");
    await channel.sink.close();
    const { url } = server;
    await server.close();
    await assertRejects(() => WebSocketChannel.open(url), ConnectError);
    await assertRejects(() => WebSocketChannel.open("ws://"), SyntaxError);
  });
}
