/**
 * The WHATWG WebSockets standard as test cases for any implementation of `WebSocket`.
 *
 * @module
 */

import { assert, assertEquals, assertFalse, assertStrictEquals } from "@std/assert";
import type { WebSocketFace } from "../../src/faces/web_socket.ts";
import {
  type Case,
  closed,
  ending,
  journal,
  LONG,
  next,
  opened,
  received,
  type Subject,
  task,
  thrownBy,
} from "./support.ts";

const cases: Case[] = [];

function add(section: string, name: string, run: Case["run"]): void {
  cases.push({ section, name, run });
}

/** A property of any object. */
function get(object: unknown, name: string): unknown {
  return (object as Record<string, unknown>)[name];
}

async function open({ WebSocket, url }: Subject, path = "/echo"): Promise<WebSocketFace> {
  return await opened(new WebSocket(url + path));
}

/** A socket that the test doesn't use: it is closed while it connects. */
function unused(WebSocket: Subject["WebSocket"], url: string, protocols?: unknown): WebSocketFace {
  const socket = new WebSocket(url, protocols as string[]);
  socket.close();
  return socket;
}

// Interface definition.

add("Interface definition", "the class and its prototype have read-only constants", ({
  WebSocket,
}) => {
  for (const [value, name] of ["CONNECTING", "OPEN", "CLOSING", "CLOSED"].entries()) {
    for (const owner of [WebSocket, WebSocket.prototype]) {
      const property = Object.getOwnPropertyDescriptor(owner, name);
      assertEquals(property, { value, writable: false, enumerable: true, configurable: false });
    }
  }
});

add("Interface definition", "its prototype directly inherits EventTarget's", ({ WebSocket }) => {
  assertStrictEquals(Object.getPrototypeOf(WebSocket.prototype), EventTarget.prototype);
  assertStrictEquals(Object.getPrototypeOf(WebSocket), EventTarget);
});

add("Interface definition", "its members are enumerable and have getters", ({ WebSocket }) => {
  const writable = ["binaryType", "onopen", "onmessage", "onerror", "onclose"];
  const readable = ["url", "readyState", "bufferedAmount", "extensions", "protocol"];
  for (const name of [...writable, ...readable]) {
    const property = Object.getOwnPropertyDescriptor(WebSocket.prototype, name);
    assertEquals([name, property?.enumerable, typeof property?.get, typeof property?.set], [
      name,
      true,
      "function",
      writable.includes(name) ? "function" : "undefined",
    ]);
  }
  for (const name of ["send", "close"]) {
    const property = Object.getOwnPropertyDescriptor(WebSocket.prototype, name);
    assertEquals([property?.enumerable, property?.writable], [true, true]);
  }
});

add(
  "Interface definition",
  "the class and its methods have the right names and lengths",
  ({ WebSocket }) => {
    const { name, length, prototype } = WebSocket as unknown as { name: string; length: number } & {
      prototype: WebSocketFace;
    };
    assertEquals([name, length], ["WebSocket", 1]);
    assertEquals([prototype.send.length, prototype.close.length], [1, 0]);
    assertEquals(Object.prototype.toString.call(prototype), "[object WebSocket]");
  },
);

add("Interface definition", "getters and setters have their names", ({ WebSocket }) => {
  for (const name of ["url", "binaryType", "onopen", "onclose"]) {
    const { get, set } = Object.getOwnPropertyDescriptor(
      WebSocket.prototype,
      name,
    ) as PropertyDescriptor;
    assertEquals([get?.name, get?.length], [`get ${name}`, 0]);
    if (name !== "url") assertEquals([set?.name, set?.length], [`set ${name}`, 1]);
  }
});

add("Interface definition", "a getter throws for another object, including a Proxy", async (it) => {
  const { prototype } = it.WebSocket;
  const { get: getter } = Object.getOwnPropertyDescriptor(
    prototype,
    "readyState",
  ) as PropertyDescriptor;
  const socket = await open(it);
  for (const other of [{}, prototype, new EventTarget(), new Proxy(socket, {})]) {
    assertEquals(thrownBy(() => getter?.call(other)), "plain TypeError");
    assertEquals(
      thrownBy(() => prototype.send.call(other as WebSocketFace, "")),
      "plain TypeError",
    );
    assertEquals(thrownBy(() => prototype.close.call(other as WebSocketFace)), "plain TypeError");
  }
});

add(
  "Interface definition",
  "the class doesn't call methods that a subclass overrides",
  async ({ WebSocket, url }) => {
    const calls: string[] = [];
    const called = (name: string) => (): never => {
      calls.push(name);
      throw new Error(`${name} is the subclass's own`);
    };
    class Sub extends (WebSocket as unknown as new (url: string) => EventTarget) {
      override dispatchEvent = called("dispatchEvent");
      override addEventListener = called("addEventListener");
      override removeEventListener = called("removeEventListener");
    }
    const socket = new Sub(`${url}/burst`) as unknown as WebSocketFace;
    const found: unknown[] = [];
    socket.onopen = () => {};
    socket.onopen = null;
    socket.onmessage = ({ data }) => void found.push(data);
    await new Promise((resolve) => socket.onclose = resolve);
    assertEquals([calls, found], [[], ["one", "two", "three"]]);
    assertEquals(Object.getPrototypeOf(Sub), WebSocket);
  },
);

// The constructor.

const malformed: [name: string, url: string][] = [
  ["an empty host", "ws://"],
  ["a space in the host", "ws://foo bar.test/"],
  ["another scheme", "mailto:user@example.test"],
  ["about:blank", "about:blank"],
  ["a fragment", "ws://127.0.0.1:1/#fragment"],
  ["an empty fragment", "ws://127.0.0.1:1/#"],
  ["an invalid port", "ws://127.0.0.1:65536/"],
];
for (const [name, url] of malformed) {
  add("The constructor", `${name} is a SyntaxError`, ({ WebSocket }) => {
    assertEquals(thrownBy(() => new WebSocket(url)), "SyntaxError");
  });
}

add("The constructor", "it throws without a URL and without new", ({ WebSocket }) => {
  const Class = WebSocket as unknown as { new (): unknown; (url: string): unknown };
  assertEquals(thrownBy(() => new Class()), "plain TypeError");
  assertEquals(thrownBy(() => Class("ws://127.0.0.1:1/")), "plain TypeError");
});

add("The constructor", "http: and https: become ws: and wss:", ({ WebSocket }) => {
  for (const [from, to] of [["http", "ws"], ["https", "wss"]]) {
    const socket = unused(WebSocket, `${from}://127.0.0.1:1/path?query`);
    assertEquals(socket.url, `${to}://127.0.0.1:1/path?query`);
  }
});

const protocolLists: [name: string, protocols: unknown][] = [
  ["an empty text", ""],
  ["the same twice", ["echo", "echo"]],
  ["the same twice, in another case", ["echo", "ECHO"]],
  ["a blank", "a b"],
  ["a comma", "a,b"],
  ["no ASCII", "a\u0080b"],
  ["a list with an empty string", ["a", ""]],
];
for (const [name, protocols] of protocolLists) {
  add("The constructor", `subprotocols: ${name} is a SyntaxError`, ({ WebSocket, url }) => {
    const call = (): unknown => new WebSocket(url, protocols as string[]);
    assertEquals(thrownBy(call), "SyntaxError");
  });
}
for (const separator of '()<>@,;:\\"/[]?={} \t') {
  const name = JSON.stringify(separator);
  add("The constructor", `subprotocols: ${name} in one is a SyntaxError`, ({ WebSocket, url }) => {
    assertEquals(thrownBy(() => new WebSocket(url, `a${separator}b`)), "SyntaxError");
  });
}

add(
  "The constructor",
  "subprotocols may be a string or any iterable of any values",
  async (subject) => {
    const { WebSocket, url } = subject;
    for (const protocols of ["one", ["one", "two"], new Set(["one"]), ["one", 2]]) {
      const socket = await opened(new WebSocket(url, protocols as string[]));
      assertEquals(socket.protocol, "one");
      socket.close();
      await next(socket, "close");
    }
  },
);

add("The constructor", "it ignores further arguments", ({ WebSocket }) => {
  const Class = WebSocket as unknown as new (...args: unknown[]) => WebSocketFace;
  new Class("ws://127.0.0.1:1/", [], { headers: { a: "b" } }).close();
});

add(
  "The constructor",
  "it accepts a URL object, and a string with surrounding spaces",
  ({ WebSocket }) => {
    assertEquals(
      unused(WebSocket, new URL("ws://127.0.0.1:1/a") as never).url,
      "ws://127.0.0.1:1/a",
    );
    assertEquals(unused(WebSocket, "  ws://127.0.0.1:1/a  ").url, "ws://127.0.0.1:1/a");
  },
);

add("The constructor", "it serializes the URL: case, default port, escapes, query", ({
  WebSocket,
}) => {
  const serialized: [string, string][] = [
    ["WS://LocalHost:80", "ws://localhost/"],
    ["wss://localhost:443/a b", "wss://localhost/a%20b"],
    ["ws://localhost:81/?ä", "ws://localhost:81/?%C3%A4"],
    ["ws://localhost/a/../b/./c", "ws://localhost/b/c"],
  ];
  for (const [given, url] of serialized) assertEquals(unused(WebSocket, given).url, url);
});

for (const port of [1, 25, 6000, 6667, 10080]) {
  add("The constructor", `port ${port} is blocked: error and close, no exception`, async ({
    WebSocket,
  }) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    const log = journal(socket);
    assertEquals(await closed(socket), { code: 1006, reason: "", wasClean: false });
    assertEquals(log, ["error in 3", "close in 3"]);
  });
}

// The opening handshake.

add(
  "The opening handshake",
  "the connection fails if the server chooses none of the offered subprotocols",
  async ({
    WebSocket,
    url,
  }) => {
    const socket = new WebSocket(`${url}/no-protocol`, ["one"]);
    const log = journal(socket);
    assertEquals(await closed(socket), { code: 1006, reason: "", wasClean: false });
    assertEquals(log, ["error in 3", "close in 3"]);
  },
);

add(
  "The opening handshake",
  "a refusal fires an error event, and closes with 1006",
  async ({ WebSocket, url }) => {
    const socket = new WebSocket(`${url}/refused`);
    const log = journal(socket);
    assertEquals(await closed(socket), { code: 1006, reason: "", wasClean: false });
    assertEquals(log, ["error in 3", "close in 3"]);
  },
);

add("The opening handshake", "no event fires in the task of the constructor", async (subject) => {
  const socket = new subject.WebSocket(`${subject.url}/echo`);
  await Promise.resolve();
  assertEquals([socket.readyState, socket.protocol, socket.extensions], [0, "", ""]);
  await opened(socket);
});

// Attributes.

add("readyState", "it can't be written", async (subject) => {
  const socket = await open(subject);
  assertEquals(thrownBy(() => Object.assign(socket, { readyState: 3 })), "plain TypeError");
  assertEquals(socket.readyState, 1);
});

add("readyState", "OPEN in open, CLOSING after close(), CLOSED in close", async (subject) => {
  const socket = new subject.WebSocket(`${subject.url}/echo`);
  const log = journal(socket);
  assertEquals(socket.readyState, 0);
  await opened(socket);
  socket.close();
  assertEquals(socket.readyState, 2);
  await closed(socket);
  assertEquals(log, ["open in 1", "close in 3"]);
});

add("protocol and extensions", "they are empty if nothing was negotiated", async (subject) => {
  const socket = await open(subject);
  assertEquals(socket.protocol, "");
  assertEquals(typeof socket.extensions, "string");
});

add("url", "it is read-only, and stays after the connection is closed", async (subject) => {
  const socket = await open(subject, "/close?code=1000");
  await closed(socket);
  assertEquals(thrownBy(() => Object.assign(socket, { url: "" })), "plain TypeError");
  assertEquals(socket.url, `${subject.url}/close?code=1000`);
});

// close().

for (const code of [0, 500, 999, 1001, 1002, 1005, 1006, 1015, 2999, 5000, 65_535]) {
  add("close()", `${code} is an InvalidAccessError`, async (subject) => {
    const socket = await open(subject);
    assertEquals(thrownBy(() => socket.close(code)), "InvalidAccessError");
    assertEquals(socket.readyState, 1);
  });
}

for (const code of [null, "text", NaN, -1, 0x1_0000 + 1000, {}]) {
  add("close()", `${String(code)} is clamped, and then an InvalidAccessError`, ({ WebSocket }) => {
    const socket = new WebSocket("ws://127.0.0.1:1/");
    assertEquals(thrownBy(() => socket.close(code as number)), "InvalidAccessError");
    socket.close();
  });
}

add("close()", "it rounds a fraction, halves to even", async (subject) => {
  const socket = await open(subject);
  socket.close(3000.5);
  assertEquals((await closed(socket)).code, 3000);
});

for (const code of [1000, 3000, 4999]) {
  add("close()", `${code} with a reason is sent, and returned`, async (subject) => {
    const socket = await open(subject);
    socket.close(code, "because é\u{1f600}");
    assertEquals(await closed(socket), { code, reason: "because é\u{1f600}", wasClean: true });
    assertEquals((await ending(subject)).received, { code, reason: "because é\u{1f600}" });
  });
}

const bodies: [name: string, args: unknown[], code: number, reason: string][] = [
  ["nothing", [], 1005, ""],
  ["undefined", [undefined], 1005, ""],
  ["undefined twice", [undefined, undefined], 1005, ""],
  ["no code and an empty reason", [undefined, ""], 1005, ""],
  ["no code and a reason, which has 1000", [undefined, "reason"], 1000, "reason"],
  ["a reason that is null", [1000, null], 1000, "null"],
  ["a lone surrogate", [1000, "\ud807"], 1000, "\ufffd"],
  ["123 bytes", [1000, "x".repeat(123)], 1000, "x".repeat(123)],
];
for (const [name, args, code, reason] of bodies) {
  add("close()", `the Close frame of ${name}`, async (subject) => {
    const socket = await open(subject);
    (socket.close as (...args: unknown[]) => void)(...args);
    assertEquals(await closed(socket), { code, reason, wasClean: true });
    assertEquals((await ending(subject)).received, { code, reason });
  });
}

for (const reason of ["x".repeat(124), "é".repeat(62), "\ud807".repeat(42)]) {
  add(
    "close()",
    `${reason.length} characters, too many bytes, are a SyntaxError`,
    async (subject) => {
      const socket = await open(subject);
      assertEquals(thrownBy(() => socket.close(1000, reason)), "SyntaxError");
      assertEquals(socket.readyState, 1);
    },
  );
}

add("close()", "it checks the code before the reason's length", ({ WebSocket }) => {
  const socket = new WebSocket("ws://127.0.0.1:1/");
  assertEquals(thrownBy(() => socket.close(1001, "x".repeat(124))), "InvalidAccessError");
  socket.close();
});

add("close()", "it checks its arguments in every state", async (subject) => {
  const socket = await open(subject);
  socket.close(1000);
  assertEquals(thrownBy(() => socket.close(1001)), "InvalidAccessError");
  await closed(socket);
  assertEquals(thrownBy(() => socket.close(1001)), "InvalidAccessError");
  assertEquals(thrownBy(() => socket.close(4999)), null);
});

add(
  "close()",
  "while connecting, the state is CLOSING at once; error and close fire, and open doesn't",
  async ({
    WebSocket,
    url,
  }) => {
    const socket = new WebSocket(`${url}/echo`);
    const log = journal(socket);
    socket.close(3000, "never");
    assertEquals(socket.readyState, 2);
    assertEquals(log, []);
    assertEquals(await closed(socket), { code: 1006, reason: "", wasClean: false });
    assertEquals(log, ["error in 3", "close in 3"]);
  },
);

add("close()", "only the first call counts, and one close event fires", async (subject) => {
  const socket = await open(subject);
  const log = journal(socket);
  socket.close(3000);
  socket.close(3001);
  assertEquals((await closed(socket)).code, 3000);
  socket.close(3002);
  await task();
  assertEquals([log, socket.readyState], [["close in 3"], 3]);
});

add("close()", "it does nothing inside a close event", async (subject) => {
  const socket = await open(subject, "/close?code=3000");
  let count = 0;
  socket.addEventListener("close", () => {
    count++;
    socket.close();
    assertEquals(socket.readyState, 3);
  });
  await closed(socket);
  await task();
  assertEquals(count, 1);
});

add("close()", "earlier messages are sent before the Close", async (subject) => {
  const socket = await open(subject);
  const { length } = LONG;
  socket.send(LONG);
  socket.send("last");
  socket.close(1000);
  await closed(socket);
  assertEquals([(await ending(subject)).wasClean, length], [true, 100_000]);
});

add("close()", "no message event fires after it", async (subject) => {
  const socket = await open(subject);
  const log = journal(socket);
  socket.send("answered");
  socket.close();
  await closed(socket);
  assertEquals(log, ["close in 3"]);
});

// bufferedAmount.

const amounts: [name: string, data: () => unknown, size: number][] = [
  ["text", () => "hello", 5],
  ["text of two, three and four bytes", () => "é€\u{1f600}", 9],
  ["a lone surrogate, three bytes", () => "\ud800", 3],
  ["no text", () => "", 0],
  ["a number, as text", () => 12345, 5],
  ["an ArrayBuffer", () => new ArrayBuffer(10), 10],
  ["a view, without the rest of its buffer", () => new Uint16Array(new ArrayBuffer(20), 4, 3), 6],
  ["a DataView", () => new DataView(new ArrayBuffer(9), 1, 7), 7],
  ["a Blob", () => new Blob(["hello"]), 5],
  ["much", () => LONG, 100_000],
];
for (const [name, data, size] of amounts) {
  add(
    "bufferedAmount",
    `it grows by the bytes of ${name}, at once and for the rest of the task`,
    async (
      subject,
    ) => {
      const socket = await open(subject);
      await task();
      assertEquals(socket.bufferedAmount, 0);
      socket.send(data() as string);
      assertEquals(socket.bufferedAmount, size);
      await Promise.resolve();
      assertEquals(socket.bufferedAmount, size);
      socket.send("again");
      assertEquals(socket.bufferedAmount, size + 5);
    },
  );
}

add("bufferedAmount", "it falls to 0 in later tasks", async (subject) => {
  const socket = await open(subject);
  for (let i = 0; i < 10; i++) socket.send(LONG);
  assertEquals(socket.bufferedAmount, 1_000_000);
  while (socket.bufferedAmount > 0) await task();
});

add(
  "bufferedAmount",
  "after close() it grows with each send, and never falls",
  async (subject) => {
    const socket = await open(subject);
    await task();
    socket.close();
    socket.send("hello");
    assertEquals(socket.bufferedAmount, 5);
    await closed(socket);
    await task();
    assertEquals(socket.bufferedAmount, 5);
    socket.send("é");
    socket.send(new Uint8Array(10));
    assertEquals(socket.bufferedAmount, 17);
    await task();
    assertEquals(socket.bufferedAmount, 17);
  },
);

// binaryType.

add(
  "binaryType",
  "it is blob by default, and ignores invalid values",
  async (subject) => {
    const socket = await open(subject);
    assertEquals(socket.binaryType, "blob");
    const set = (value: unknown): string => {
      socket.binaryType = value as "blob";
      return socket.binaryType;
    };
    assertEquals(set("arraybuffer"), "arraybuffer");
    for (const value of ["", "Blob", "nodebuffer", null, undefined, 1]) {
      assertEquals(set(value), "arraybuffer");
    }
    assertEquals(set("blob"), "blob");
  },
);

add("binaryType", "blob delivers Blobs of the bytes", async (subject) => {
  const socket = new subject.WebSocket(`${subject.url}/bytes`);
  const data = await received(socket) as Blob;
  assertEquals(Object.prototype.toString.call(data), "[object Blob]");
  assertEquals([data.size, data.type], [3, ""]);
  assertEquals([...new Uint8Array(await data.arrayBuffer())], [1, 2, 3]);
});

add("binaryType", "arraybuffer delivers ArrayBuffers with exactly the bytes", async (subject) => {
  const socket = new subject.WebSocket(`${subject.url}/bytes`);
  socket.binaryType = "arraybuffer";
  const found: unknown[] = [];
  socket.onmessage = ({ data }) => void found.push(data);
  while (found.length < 3) await task();
  const [small, large, text] = found as [ArrayBuffer, ArrayBuffer, string];
  assertEquals(Object.prototype.toString.call(small), "[object ArrayBuffer]");
  assertEquals([[...new Uint8Array(small)], large.byteLength, text], [[1, 2, 3], 70_000, "text"]);
  structuredClone(small, { transfer: [small] });
});

add("binaryType", "it applies when the event fires", async (subject) => {
  const socket = new subject.WebSocket(`${subject.url}/bytes`);
  const kinds: string[] = [];
  socket.onmessage = ({ data }) => {
    kinds.push(Object.prototype.toString.call(data).slice(8, -1));
    socket.binaryType = "arraybuffer";
  };
  while (kinds.length < 3) await task();
  assertEquals(kinds, ["Blob", "ArrayBuffer", "String"]);
});

// send().

add("send()", "it throws an InvalidStateError while connecting", async (subject) => {
  const socket = new subject.WebSocket(`${subject.url}/echo`);
  assertEquals(thrownBy(() => socket.send("early")), "InvalidStateError");
  assertEquals(thrownBy(() => (socket.send as () => void)()), "plain TypeError");
  await opened(socket);
});

add("send()", "it throws a TypeError without an argument, and for a symbol", async (subject) => {
  const socket = await open(subject);
  assertEquals(thrownBy(() => (socket.send as () => void)()), "plain TypeError");
  assertEquals(thrownBy(() => socket.send(Symbol() as never)), "plain TypeError");
});

const texts: [name: string, given: unknown, text: string][] = [
  ["text", "hello", "hello"],
  ["no text", "", ""],
  ["text of every plane", "é€\u{1f600}\0\ufeff", "é€\u{1f600}\0\ufeff"],
  ["lone surrogates", "a\ud800b\udc00c", "a\ufffdb\ufffdc"],
  ["null", null, "null"],
  ["undefined", undefined, "undefined"],
  ["a number", 1.5, "1.5"],
  ["a list", [1, 2], "1,2"],
  ["an object with its own toString", { toString: () => "own" }, "own"],
  ["a URL", new URL("ws://a.test/"), "ws://a.test/"],
  ["65,536 characters", "x".repeat(65_536), "x".repeat(65_536)],
];
for (const [name, given, text] of texts) {
  add("send()", `text: ${name}`, async (subject) => {
    const socket = await open(subject);
    socket.send(given as string);
    assertEquals(await received(socket), text);
  });
}

const buffer = Uint8Array.from({ length: 80 }, (_, i) => i).buffer;
const binaries: [
  name: string,
  make: () => ArrayBuffer | ArrayBufferView | Blob,
  bytes: number[],
][] = [
  ["an ArrayBuffer", () => buffer.slice(0, 4), [0, 1, 2, 3]],
  ["an empty one", () => new ArrayBuffer(0), []],
  ["a Uint8Array", () => new Uint8Array(buffer, 2, 3), [2, 3, 4]],
  ["an Int8Array", () => new Int8Array(buffer, 77), [77, 78, 79]],
  ["a Uint16Array", () => new Uint16Array(buffer, 2, 1), [2, 3]],
  ["an Int16Array", () => new Int16Array(buffer, 78), [78, 79]],
  ["a Uint32Array", () => new Uint32Array(buffer, 4, 1), [4, 5, 6, 7]],
  ["a Float32Array", () => Float32Array.of(1), [0, 0, 128, 63]],
  ["a Float64Array", () => Float64Array.of(1), [0, 0, 0, 0, 0, 0, 240, 63]],
  ["a BigInt64Array", () => BigInt64Array.of(1n), [1, 0, 0, 0, 0, 0, 0, 0]],
  ["a DataView", () => new DataView(buffer, 1, 2), [1, 2]],
  ["a Blob", () => new Blob([new Uint8Array(buffer, 1, 3), "a"]), [1, 2, 3, 97]],
  ["an empty Blob", () => new Blob([]), []],
];
for (const [name, make, bytes] of binaries) {
  add("send()", `bytes: ${name}`, async (subject) => {
    const socket = await open(subject);
    socket.binaryType = "arraybuffer";
    socket.send(make());
    assertEquals([...new Uint8Array(await received(socket) as ArrayBuffer)], bytes);
  });
}

add("send()", "it copies the bytes during the call", async (subject) => {
  const socket = await open(subject);
  socket.binaryType = "arraybuffer";
  const bytes = Uint8Array.of(1, 2);
  socket.send(new Blob(["first"]));
  socket.send(bytes);
  bytes.fill(9);
  await received(socket);
  assertEquals([...new Uint8Array(await received(socket) as ArrayBuffer)], [1, 2]);
});

add(
  "send()",
  "messages sent after Blobs arrive after them, and so does the Close",
  async (subject) => {
    const socket = await open(subject);
    socket.binaryType = "arraybuffer";
    const found: string[] = [];
    const decoder = new TextDecoder();
    socket.onmessage = ({ data }) =>
      void found.push(typeof data === "string" ? data : decoder.decode(data));
    socket.send(new Blob(["a".repeat(50_000)]));
    socket.send("b");
    socket.send(new Blob(["c"]));
    socket.send(new TextEncoder().encode("d"));
    while (found.length < 4) await task();
    assertEquals(found.map((it) => it.slice(0, 2)), ["aa", "b", "c", "d"]);
    socket.send(new Blob(["e".repeat(50_000)]));
    socket.send("f");
    socket.close(3000, "behind");
    assertEquals(socket.readyState, 2);
    assertEquals(await closed(socket), { code: 3000, reason: "behind", wasClean: true });
    assertEquals((await ending(subject)).received?.code, 3000);
  },
);

add(
  "send()",
  "it throws for shared memory, both for the buffer and for a view",
  async (subject) => {
    const socket = await open(subject);
    // A page that isn't isolated has no SharedArrayBuffer.
    const { buffer: shared } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    for (const data of [shared, new Uint8Array(shared)]) {
      assertEquals(thrownBy(() => socket.send(data as never)), "plain TypeError");
    }
  },
);

add("send()", "it throws for a resizable buffer, and for a view of it", async (subject) => {
  const socket = await open(subject);
  // Node 18 has no resizable buffers; TypeScript's libraries for Node 20 don't know the second argument.
  const Resizable = ArrayBuffer as unknown as new (size: number, options: object) => ArrayBuffer;
  const resizable = new Resizable(4, { maxByteLength: 8 });
  Object.defineProperty(resizable, "resizable", { value: false });
  for (const data of [resizable, new Uint8Array(resizable), new DataView(resizable, 1, 2)]) {
    assertEquals(thrownBy(() => socket.send(data)), "plain TypeError");
  }
  assertEquals(socket.bufferedAmount, 0);
});

add("send()", "it ignores an object's own properties when it reads bytes", async (subject) => {
  const socket = await open(subject);
  socket.binaryType = "arraybuffer";
  const buffer = new ArrayBuffer(2);
  Object.defineProperty(buffer, "resizable", { value: true });
  Object.defineProperty(buffer, "byteLength", { value: 1 });
  socket.send(buffer);
  assertEquals(socket.bufferedAmount, 2);
  assertEquals((await received(socket) as ArrayBuffer).byteLength, 2);
});

add("send()", "a detached buffer has no bytes", async (subject) => {
  const socket = await open(subject);
  socket.binaryType = "arraybuffer";
  const bytes = Uint8Array.of(1, 2, 3);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  socket.send(bytes);
  assertEquals((await received(socket) as ArrayBuffer).byteLength, 0);
});

add("send()", "it does nothing after the peer's Close", async (subject) => {
  const socket = await open(subject, "/close?code=3000");
  await closed(socket);
  assertEquals(thrownBy(() => socket.send("late")), null);
});

// Event handlers.

for (const type of ["open", "message", "error", "close"]) {
  add(
    "Event handlers",
    `on${type} is null, a function, or an object that isn't called`,
    async (subject) => {
      const socket = await open(subject) as unknown as Record<string, unknown> & EventTarget;
      const name = `on${type}`;
      assertEquals(socket[name], null);
      const handler = (): void => {};
      socket[name] = handler;
      assertStrictEquals(socket[name], handler);
      for (const none of [2, "text", undefined, null, true]) {
        socket[name] = handler;
        socket[name] = none;
        assertEquals(socket[name], null);
      }
    },
  );

  add("Event handlers", `on${type} is called with the event, as a method`, async (subject) => {
    const socket = await open(subject);
    const calls: [unknown, unknown][] = [];
    Object.assign(socket, {
      [`on${type}`](this: unknown, event: Event) {
        calls.push([this, event]);
      },
    });
    const event = new Event(type);
    socket.dispatchEvent(event);
    assertStrictEquals(calls[0]?.[0], socket);
    assertStrictEquals(calls[0]?.[1], event);
  });
}

add("Event handlers", "a handler keeps its place among the listeners until it is removed", async (
  subject,
) => {
  const socket = await open(subject);
  const log: string[] = [];
  socket.addEventListener("message", () => log.push("first"));
  socket.onmessage = () => log.push("replaced");
  socket.addEventListener("message", () => log.push("third"));
  socket.onmessage = () => log.push("second");
  socket.dispatchEvent(new Event("message"));
  assertEquals(log.splice(0), ["first", "second", "third"]);
  socket.onmessage = null;
  socket.dispatchEvent(new Event("message"));
  assertEquals(log.splice(0), ["first", "third"]);
  socket.onmessage = () => log.push("last");
  socket.dispatchEvent(new Event("message"));
  assertEquals(log, ["first", "third", "last"]);
});

add(
  "Event handlers",
  "a handler that returns false cancels a cancelable event",
  async (subject) => {
    const socket = await open(subject);
    const dispatch = (value: unknown, cancelable: boolean): boolean => {
      socket.onmessage = () => value;
      return socket.dispatchEvent(new Event("message", { cancelable }));
    };
    assertEquals([dispatch(false, true), dispatch(false, false)], [false, true]);
    assertEquals([dispatch(undefined, true), dispatch(0, true), dispatch(true, true)], [
      true,
      true,
      true,
    ]);
  },
);

add("Event handlers", "an object with handleEvent isn't called", async (subject) => {
  const socket = await open(subject);
  let count = 0;
  const object = { handleEvent: () => count++ };
  socket.onmessage = object as never;
  socket.dispatchEvent(new Event("message"));
  assertEquals(count, 0);
  socket.addEventListener("message", object);
  socket.dispatchEvent(new Event("message"));
  assertEquals(count, 1);
});

// Feedback from the protocol.

add("Feedback from the protocol", "the open event fires", async (subject) => {
  const socket = new subject.WebSocket(`${subject.url}/echo`, "chosen");
  const event = await next(socket, "open");
  assertEquals([event.type, event.bubbles, event.cancelable], ["open", false, false]);
  assertStrictEquals(event.target, socket);
  assertEquals(socket.protocol, "chosen");
});

add(
  "Feedback from the protocol",
  "a message event has only data and an origin",
  async (
    subject,
  ) => {
    const socket = await open(subject);
    socket.send("hello");
    const event = await next(socket, "message") as MessageEvent;
    assert(event instanceof MessageEvent);
    assertEquals([event.data, event.origin, event.lastEventId], ["hello", subject.url, ""]);
    assertEquals([event.source, event.ports.length], [null, 0]);
    assertEquals([event.bubbles, event.cancelable], [false, false]);
  },
);

add(
  "Feedback from the protocol",
  "message events fire for all messages before the Close, in order",
  async (
    subject,
  ) => {
    const socket = new subject.WebSocket(`${subject.url}/burst?code=3001&reason=bye`);
    const log = journal(socket);
    assertEquals(await closed(socket), { code: 3001, reason: "bye", wasClean: true });
    assertEquals(log, [
      "open in 1",
      "message one in 1",
      "message two in 1",
      "message three in 1",
      "close in 3",
    ]);
  },
);

add(
  "Feedback from the protocol",
  "each event is a separate task: microtasks run between two events",
  async (
    subject,
  ) => {
    const socket = new subject.WebSocket(`${subject.url}/burst?code=3001`);
    const log: string[] = [];
    for (const type of ["open", "message", "close"]) {
      socket.addEventListener(type, () => {
        log.push(type);
        Promise.resolve().then(() => {}).then(() => log.push(`after ${type}`));
      });
    }
    await closed(socket);
    await task();
    const expected = ["open", "message", "message", "message", "close"];
    assertEquals(log, expected.flatMap((it) => [it, `after ${it}`]));
  },
);

add("Feedback from the protocol", "a listener added in open gets all messages", async (
  subject,
) => {
  const socket = new subject.WebSocket(`${subject.url}/burst`);
  const found: unknown[] = [];
  socket.onopen = () => {
    socket.onmessage = ({ data }) => void found.push(data);
  };
  await closed(socket);
  assertEquals(found, ["one", "two", "three"]);
});

add("Feedback from the protocol", "no message event fires after close() in a message event", async (
  subject,
) => {
  const socket = new subject.WebSocket(`${subject.url}/burst`);
  const log = journal(socket);
  socket.addEventListener("message", () => socket.close(), { once: true });
  await closed(socket);
  assertEquals(log, ["open in 1", "message one in 1", "close in 3"]);
});

add("Feedback from the protocol", "a Close without a code from the peer is 1005, and clean", async (
  subject,
) => {
  const socket = await open(subject, "/close");
  assertEquals(await closed(socket), { code: 1005, reason: "", wasClean: true });
});

add("Feedback from the protocol", "the close event has any code and reason of the peer", async (
  subject,
) => {
  for (const code of [1001, 1011, 3500]) {
    const socket = new subject.WebSocket(`${subject.url}/close?code=${code}&reason=why`);
    assertEquals(await closed(socket), { code, reason: "why", wasClean: true });
  }
});

add("Feedback from the protocol", "a lost connection is 1006, not clean", async (subject) => {
  const socket = await open(subject, "/lose");
  socket.send("now");
  assertEquals(await closed(socket), { code: 1006, reason: "", wasClean: false });
});

// RFC 6455 §7.2.1: a client must fail a connection that is lost.
add("Feedback from the protocol", "a lost connection fires an error event", async (subject) => {
  const socket = await open(subject, "/lose");
  const log = journal(socket);
  socket.send("now");
  await closed(socket);
  assertEquals(log, ["error in 3", "close in 3"]);
});

add(
  "Feedback from the protocol",
  "an exception of a listener does not affect the others",
  async (subject) => {
    const socket = await open(subject);
    const found: unknown[] = [];
    const stop = (event: Event): void => event.preventDefault();
    globalThis.addEventListener?.("error", stop);
    const { process } = globalThis as unknown as { process?: Uncaught };
    const caught: unknown[] = [];
    const keep = (error: unknown): void => void caught.push(error);
    process?.on("uncaughtException", keep);
    try {
      socket.addEventListener("message", () => {
        throw new Error("a listener's own");
      });
      socket.addEventListener("message", ({ data }) => found.push(data));
      socket.send("one");
      socket.send("two");
      while (found.length < 2) await task();
      await task();
    } finally {
      globalThis.removeEventListener?.("error", stop);
      process?.removeListener("uncaughtException", keep);
    }
    assertEquals(found, ["one", "two"]);
  },
);

interface Uncaught {
  on(name: string, listener: (error: unknown) => void): void;
  removeListener(name: string, listener: (error: unknown) => void): void;
}

// The CloseEvent interface.

add("The CloseEvent interface", "its class, its members, and their kinds", async (subject) => {
  const socket = await open(subject, "/close?code=3000&reason=r");
  const event = await next(socket, "close") as Event & { reason: string };
  const { CloseEvent } = globalThis as unknown as { CloseEvent?: new () => Event };
  // Deno's own class has another tag.
  if (CloseEvent !== undefined) assert(event instanceof CloseEvent);
  else assertEquals(Object.prototype.toString.call(event), "[object CloseEvent]");
  assert(event instanceof Event);
  assertEquals([get(event, "code"), get(event, "reason"), get(event, "wasClean")], [
    3000,
    "r",
    true,
  ]);
  assertEquals([event.type, event.bubbles, event.cancelable], ["close", false, false]);
  assertFalse(event.defaultPrevented);
});

/** All cases of the standard. */
export const standardCases: readonly Case[] = cases;
