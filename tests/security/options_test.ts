/** Wrong options from plain JavaScript: each is an error that shows no content, and nothing is opened. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { runInNewContext } from "node:vm";
import { WebSocketChannel } from "../../mod.ts";
import { NativeWebSocketChannel } from "../../src/native/mod.ts";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import {
  acceptUpgrade,
  broadcast,
  bunWebSocket,
  upgradeWebSocket,
  WebSocketServer,
} from "../../src/server/mod.ts";
import {
  channelPair,
  Disconnector,
  jsonDocument,
  MessagePortChannel,
  MultiChannel,
  StreamChannelCompleter,
  withGuarantees,
} from "../../src/stream_channel/mod.ts";
import { faultyPair, webSocketChannelPair } from "../../src/testing/mod.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";

const SECRET = "s3cr3t-marker";

/** A function that takes options. */
interface Door {
  /** Options that the function needs. */
  readonly needs?: object;
  /** Options of wrong types, each with its name in the error. */
  readonly wrong: readonly (readonly [name: string, value: unknown])[];
  /** Calls the function. The test fails if the function opens anything. */
  call(options: never): unknown;
}

/** An object that must not be used when options are wrong. */
function untouchable<T extends object>(): T {
  return new Proxy({}, {
    get(_target, name) {
      throw new Error(`Touched: ${String(name)}`);
    },
  }) as T;
}

const URL_TEXT = "ws://127.0.0.1:9";

const CHANNEL = [["closeTimeout", "5"], ["highWaterMark", null]] as const;
const ATTEMPT = [["connectTimeout", "5"], ["signal", SECRET]] as const;
const PROTOCOL = [
  ...CHANNEL,
  ["pingInterval", true],
  ["pingTimeout", "5"],
  ["maxMessageSize", "5"],
  ["compression", SECRET],
  ["compression.threshold", "5"],
  ["compression.windowBits", 5],
] as const;
const CONNECT = [
  ...PROTOCOL,
  ...ATTEMPT,
  ["maxQueueSize", "5"],
  ["protocols", 5],
  ["headers", SECRET],
  ["headers", new Date()],
  ["headers", new Response()],
  ["compression", new Date()],
  ["protocols", new String(SECRET)],
  ["headers", null],
  ["headers", { "x-a": 5 }],
  ["headers", { "x-a": null }],
  ["headers", { "x-a": undefined }],
  ["headers", { "x-a": { toString: () => SECRET } }],
  ["headers", [["x-a", 5]]],
  ["headers", [["x-a"]]],
  ["headers", [["x-a", SECRET, SECRET]]],
  ["headers", [SECRET]],
  ["headers", [5]],
  ["headers", [null]],
  ["origin", 5],
  ["tls", SECRET],
  ["proxy", 5],
  ["socketPath", {}],
  ["localAddress", 5],
  ["lookup", SECRET],
  ["followRedirects", "yes"],
  ["transport", "carrier-pigeon"],
  ["require", SECRET],
  ["protocol", SECRET],
  ["header", { authorization: SECRET }],
  ["Authorization", SECRET],
] as const;
const SERVER = [
  ...PROTOCOL,
  ["protocols", SECRET],
  ["origin", SECRET],
  ["verify", SECRET],
  ["headers", SECRET],
  ["handshakeTimeout", "5"],
  ["onConnection", () => {}],
] as const;

const { local, foreign } = channelPair<string>();
const { client, server } = webSocketChannelPair();

const DOORS: Readonly<Record<string, Door>> = {
  "connect": { wrong: CONNECT, call: (it) => WebSocketChannel.connect(URL_TEXT, it) },
  "open": { wrong: CONNECT, call: (it) => WebSocketChannel.open(URL_TEXT, it) },
  "native connect": {
    wrong: [...CONNECT, ["transport", "net"]],
    call: (it) => NativeWebSocketChannel.connect(URL_TEXT, it),
  },
  "net connect": {
    wrong: [...CONNECT, ["transport", "native"]],
    call: (it) => NetWebSocketChannel.connect(URL_TEXT, it),
  },
  "from": {
    wrong: [...CHANNEL, ...ATTEMPT, ["protocols", 5], ["maxQueueSize", "5"], ["headers", {}]],
    call: (it) => WebSocketChannel.from(new FakeWebSocket(), it),
  },
  "native from": {
    wrong: [...CHANNEL, ...ATTEMPT, ["protocols", 5], ["maxQueueSize", "5"], ["headers", {}]],
    call: (it) => NativeWebSocketChannel.from(new FakeWebSocket(), it),
  },
  "over": {
    needs: { side: "client" },
    wrong: [...PROTOCOL, ["side", "both"], ["protocol", 5], ["extensions", 5], ["tls", {}]],
    call: (it) => WebSocketChannel.over(untouchable(), it),
  },
  "handshake": {
    wrong: [...PROTOCOL, ...ATTEMPT, ["protocols", 5], ["headers", SECRET], ["proxy", SECRET]],
    call: (it) => WebSocketChannel.connectOver(untouchable(), URL_TEXT, it),
  },
  "acceptUpgrade": {
    wrong: [...SERVER, ["signal", SECRET], ["port", 8080]],
    call: (it) => acceptUpgrade(untouchable(), untouchable(), new Uint8Array(), it),
  },
  "upgradeWebSocket": {
    wrong: [...SERVER, ["info", SECRET], ["maxQueueSize", "5"], ["idleTimeout", 5]],
    call: (it) => upgradeWebSocket(untouchable(), it),
  },
  "bunWebSocket": {
    wrong: [...SERVER, ["maxQueueSize", "5"], ["idleTimeout", 5]],
    call: (it) => bunWebSocket(it),
  },
  "bind": {
    wrong: [
      ...SERVER,
      ["hostname", 5],
      ["port", "8080"],
      ["tls", SECRET],
      ["path", 5],
      ["maxConnections", "5"],
      ["onRequest", SECRET],
      ["host", "0.0.0.0"],
    ],
    call: (it) => WebSocketServer.bind(it),
  },
  "broadcast": {
    wrong: [
      ["except", SECRET],
      ["compress", 0],
      ["slow", "drop"],
      ["maxQueueSize", "5"],
      ["stallTimeout", "5"],
      ["exclude", client],
    ],
    call: (it) => broadcast(untouchable(), "message", it),
  },
  "sink.add": {
    wrong: [["compress", "no"], ["compressed", false]],
    call: (it) => client.sink.add("message", it),
  },
  "ping": { wrong: [["payload", SECRET]], call: (it) => client.ping(...[it] as unknown as []) },
  "native ping": {
    wrong: [["timeout", 5]],
    call: (it) => WebSocketChannel.from(new FakeWebSocket(3)).ping(...[it] as unknown as []),
  },
  "addStream": {
    wrong: [["signal", SECRET], ["preventAbort", 1], ["preventClose", true]],
    call: (it) => local.sink.addStream(untouchable(), it),
  },
  "listen": {
    wrong: [["onError", SECRET], ["onDone", SECRET], ["signal", SECRET], ["onClose", () => {}]],
    call: (it) => foreign.stream.listen(() => {}, it),
  },
  "channelPair": {
    wrong: [["sync", 1], ["allowForeignErrors", "no"], ["highWaterMark", "5"], ["async", true]],
    call: (it) => channelPair(it),
  },
  "completer": {
    wrong: [["highWaterMark", "5"], ["onClose", SECRET], ["onDone", () => {}]],
    call: (it) => new StreamChannelCompleter(it),
  },
  "completer from a promise": {
    wrong: [["highWaterMark", "5"], ["onClose", SECRET]],
    call: (it) => StreamChannelCompleter.fromPromise(untouchable(), it),
  },
  "Disconnector": {
    wrong: [["signal", SECRET], ["timeout", 5]],
    call: (it) => new Disconnector(it),
  },
  "MultiChannel": {
    wrong: [["highWaterMark", "5"], ["pendingLimit", "5"], ["limit", 5]],
    call: (it) => new MultiChannel(channelPair<unknown>().local, it),
  },
  "MessagePortChannel": {
    wrong: [["raw", 1], ["highWaterMark", "5"], ["transfer", []], ["rawMode", true]],
    call: (it) => new MessagePortChannel(untouchable(), it),
  },
  "MessagePortChannel.connectSend": {
    wrong: [["raw", 1], ["highWaterMark", "5"], ["transfer", []]],
    call: (it) => MessagePortChannel.connectSend(untouchable(), it),
  },
  "MessagePortChannel.connectReceive": {
    wrong: [["raw", 1], ["highWaterMark", "5"], ["transfer", []]],
    call: (it) => MessagePortChannel.connectReceive(untouchable(), it),
  },
  "jsonDocument": {
    wrong: [["malformed", "ignore"], ["incoming", 5], ["outgoing", SECRET], ["schema", {}]],
    call: (it) => jsonDocument(it),
  },
  "withGuarantees": {
    wrong: [["allowSinkErrors", 1], ["allowErrors", true]],
    call: (it) => withGuarantees(untouchable(), it),
  },
  "webSocketChannelPair": {
    wrong: [
      ...CHANNEL,
      ["protocol", 5],
      ["client", SECRET],
      ["server", 5],
      ["clock", SECRET],
      ["client.compress", false],
      ["server.closeTimeout", "5"],
    ],
    call: (it) => webSocketChannelPair(it),
  },
  "faultyPair": {
    needs: { seed: 1 },
    wrong: [
      ["seed", "1"],
      ["split", "5"],
      ["delay", null],
      ["stall", 5],
      ["stall.after", "5"],
      ["stall.for", 5],
      ["reset", "5"],
      ["loss", 5],
    ],
    call: (it) => faultyPair(it),
  },
};

/** The error that a door throws or rejects with. */
async function errorOf({ call }: Door, options: unknown): Promise<unknown> {
  try {
    await call(options as never);
  } catch (error) {
    return error;
  }
  return "nothing was thrown";
}

/** Options with one more; `a.b` is an option inside another. */
function optionsWith(needs: object | undefined, name: string, value: unknown): object {
  const [outer = "", inner] = name.split(".");
  return { ...needs, [outer]: inner === undefined ? value : { [inner]: value } };
}

for (const [name, door] of Object.entries(DOORS)) {
  Deno.test(`attack 54: ${name}: an unknown option, or one of the wrong type, is a TypeError that names it`, async () => {
    for (const [option, value] of [...door.wrong, ["unknown", SECRET] as const]) {
      const error = await errorOf(door, optionsWith(door.needs, option, value));
      const shown = String(error);
      assertStringIncludes(shown, `TypeError: Cannot use the option ${option}: `);
      assertStringIncludes(shown, ", got ");
      assertEquals(shown.includes(SECRET), false, shown);
    }
  });

  Deno.test(`attack 54: ${name}: a value that is no options object is a TypeError`, async () => {
    for (const options of [null, SECRET, [SECRET], 5, true, new Map(), Promise.resolve({})]) {
      const shown = String(await errorOf(door, options));
      assertStringIncludes(
        shown,
        "TypeError: Cannot use the options: they must be an object, got ",
      );
      assertEquals(shown.includes(SECRET), false, shown);
    }
  });

  Deno.test(`attack 54: ${name}: null-prototype, inherited and frozen options are checked as well`, async () => {
    for (const [option, value] of door.wrong) {
      const wrong = optionsWith(door.needs, option, value);
      for (
        const options of [
          Object.assign(Object.create(null), wrong),
          Object.create(wrong),
          Object.freeze(wrong),
          new Proxy(wrong, {}),
        ]
      ) {
        assertStringIncludes(String(await errorOf(door, options)), `the option ${option}: `);
      }
    }
  });
}

Deno.test("attack 54: options of another realm are accepted, and checked", async () => {
  const foreign = (text: string): object => runInNewContext(`(${text})`);
  const { client, server } = webSocketChannelPair(foreign('{ protocol: "chat" }'));
  assertEquals(client.protocol, "chat");
  const bound = await WebSocketServer.bind(foreign('{ port: 0, protocols: ["a", "b"] }'));
  const options = foreign('{ protocols: ["b"], transport: "net", headers: [["X-A", "1"]] }');
  const channel = await WebSocketChannel.open(bound.url, options);
  assertEquals(channel.protocol, "b");
  await Promise.all([bound.close(), client.sink.close(), server.closed, channel.closed]);
  for (const text of ['{ port: "8080" }', "{ prot: 1 }", "[]", "new Map()", "Promise.resolve()"]) {
    const error = String(await errorOf(DOORS["bind"] as Door, foreign(text)));
    assertStringIncludes(error, "TypeError: Cannot use the option");
  }
});

Deno.test("attack 54: the error for the platform's own signature names the call to use instead", async () => {
  for (const protocols of [SECRET, [SECRET]]) {
    for (const name of ["connect", "open", "native connect", "net connect"]) {
      const shown = String(await errorOf(DOORS[name] as Door, protocols));
      assertStringIncludes(shown, ". Offer subprotocols with { protocols }");
    }
  }
});

Deno.test("attack 54: listen refuses a value that isn't a function, and takes no right to read", async () => {
  const { local, foreign } = channelPair<string>();
  for (const onData of [undefined, null, 5, SECRET, {}]) {
    const listen: Door = { wrong: [], call: () => local.stream.listen(onData as never) };
    const shown = String(await errorOf(listen, undefined));
    assertStringIncludes(shown, "TypeError: Cannot listen: onData must be a function, got ");
    assertEquals(shown.includes(SECRET), false, shown);
  }
  foreign.sink.add("first");
  assertEquals((await local.stream.next()).value, "first");
  await local.sink.close();
});

Deno.test("attack 54: listen reads each of its options once", async () => {
  const reads: string[] = [];
  const events: string[] = [];
  const once = <T>(name: string, value: T): T | undefined => {
    reads.push(name);
    return reads.indexOf(name) === reads.length - 1 ? value : SECRET as T;
  };
  const abort = new AbortController();
  const { local, foreign } = channelPair<string>();
  local.stream.listen(() => {}, {
    get onError() {
      return once("onError", () => events.push("error"));
    },
    get onDone() {
      return once("onDone", () => events.push("done"));
    },
    get signal() {
      return once("signal", abort.signal);
    },
  });
  foreign.sink.addError(new Error("lost"));
  await foreign.sink.close();
  assertEquals(reads, ["onError", "onDone", "signal"]);
  assertEquals(events, ["error", "done"]);
});

Deno.test("attack 54: listen calls the methods of a class instance that has its options", async () => {
  class Reader {
    readonly #events: string[] = [];
    onDone(): void {
      this.#events.push("done");
    }
    take(): string[] {
      return this.#events;
    }
  }
  const reader = new Reader();
  const { local, foreign } = channelPair<string>();
  local.stream.listen(() => {}, reader);
  await foreign.sink.close();
  assertEquals(reader.take(), ["done"]);
});

Deno.test("attack 54: wrong options change nothing", async () => {
  // The tests above have called each door with these.
  client.sink.add("still open");
  assertEquals((await server.stream.next()).value, "still open");
  local.sink.add("still open");
  assertEquals((await foreign.stream.next()).value, "still open");
  const socket = new FakeWebSocket();
  const { binaryType } = socket;
  await errorOf({ wrong: [], call: (it) => WebSocketChannel.from(socket, it) }, { unknown: 1 });
  assertEquals(socket.binaryType, binaryType);
  await Promise.all([client.sink.close(), local.sink.close()]);
});

Deno.test("attack 54: a server's close and broadcast check their options, and the server keeps working", async () => {
  const bound = await WebSocketServer.bind();
  try {
    for (
      const [option, value] of [["code", "1001"], ["reason", 5], ["drainTimeout", "5"], [
        "timeout",
        5,
      ]]
    ) {
      const wrong = { [option as string]: value };
      const close: Door = { wrong: [], call: (it) => bound.close(it) };
      assertStringIncludes(
        String(await errorOf(close, wrong)),
        `TypeError: Cannot use the option ${option}`,
      );
    }
    const all: Door = { wrong: [], call: (it) => bound.broadcast("message", it) };
    assertStringIncludes(String(await errorOf(all, { slow: 5 })), "the option slow");
    assertStringIncludes(String(await errorOf(all, [])), "the options: they must be an object");
    const channel = await WebSocketChannel.open(bound.url);
    await channel.sink.close();
  } finally {
    await bound.close();
  }
});
