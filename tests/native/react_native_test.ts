/**
 * React Native's `WebSocket`, as a fake with the same differences from the standard: header fields in a third
 * argument, no `bufferedAmount`, only the server's `protocol`, events without `wasClean`, errors that are
 * `Error`s with their own name.
 */

import { assertEquals, assertInstanceOf } from "@std/assert";
import { connect } from "../../src/connect.ts";
import { socketOwner } from "../../src/native/socket_owner.ts";
import type { WebSocketEventLike } from "../../src/native/web_socket_like.ts";
import { ConnectError } from "../../src/web_socket/errors.ts";
import { microtasks, record } from "../support/events.ts";

type Listener = (event: WebSocketEventLike & { type: string }) => void;

class ReactNativeWebSocket {
  static readonly made: ReactNativeWebSocket[] = [];
  readonly args: unknown[];
  readonly sent: unknown[] = [];
  readonly closes: unknown[][] = [];
  readyState = 0;
  protocol: string | undefined;
  extensions: string | undefined;
  url: string;
  #binaryType: string | undefined;
  readonly #listeners = new Map<string, Listener[]>();

  // deno-lint-ignore no-explicit-any -- as React Native declares it
  constructor(url: string, protocols: any, options: any) {
    this.args = [url, protocols, options];
    this.url = url;
    ReactNativeWebSocket.made.push(this);
  }

  get binaryType(): string | undefined {
    return this.#binaryType;
  }

  set binaryType(value: string | undefined) {
    if (value !== "blob" && value !== "arraybuffer") {
      throw new Error("binaryType must be either 'blob' or 'arraybuffer'");
    }
    this.#binaryType = value;
  }

  send(data: unknown): void {
    if (this.readyState === 0) throw new Error("INVALID_STATE_ERR");
    if (typeof data !== "string" && !(data instanceof ArrayBuffer) && !ArrayBuffer.isView(data)) {
      throw new Error("Unsupported data type");
    }
    this.sent.push(data);
  }

  close(...args: unknown[]): void {
    if (this.readyState >= 2) return;
    this.readyState = 2;
    this.closes.push(args);
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, [...this.#listeners.get(type) ?? [], listener]);
  }

  emit(type: string, event: WebSocketEventLike = {}): void {
    for (const listener of this.#listeners.get(type) ?? []) listener({ type, ...event });
  }

  open(protocol?: string): void {
    this.readyState = 1;
    this.protocol = protocol;
    this.emit("open");
  }

  /** Reports any failure like React Native. */
  fail(message: string): void {
    this.readyState = 3;
    this.emit("error", { message });
    this.emit("close", { code: 1006, reason: message });
  }

  end(code: number, reason: string): void {
    this.readyState = 3;
    this.emit("close", { code, reason });
  }
}

async function inReactNative(body: () => Promise<void>): Promise<void> {
  const names = ["WebSocket", "navigator"];
  const before = names.map((it) => Object.getOwnPropertyDescriptor(globalThis, it));
  const values = [ReactNativeWebSocket, { product: "ReactNative" }];
  try {
    for (const [i, name] of names.entries()) {
      Object.defineProperty(globalThis, name, { value: values[i], configurable: true });
    }
    ReactNativeWebSocket.made.length = 0;
    await body();
  } finally {
    for (const [i, name] of names.entries()) {
      Reflect.deleteProperty(globalThis, name);
      const it = before[i];
      if (it !== undefined) Object.defineProperty(globalThis, name, it);
    }
  }
}

function made(): ReactNativeWebSocket {
  const [socket] = ReactNativeWebSocket.made;
  if (socket === undefined) throw new Error("No socket was made");
  return socket;
}

Deno.test("React Native: the constructor gets header fields as its third argument, if there are any", async () => {
  await inReactNative(async () => {
    assertEquals(socketOwner(), "react-native");
    const channel = connect("ws://a.test/", { protocols: ["v1"], headers: { Authorization: "b" } });
    assertEquals(made().args, ["ws://a.test/", ["v1"], { headers: { Authorization: "b" } }]);
    made().open("v1");
    await channel.ready;
    assertEquals([channel.protocol, channel.capabilities.headers], ["v1", true]);
    channel.terminate();
    ReactNativeWebSocket.made.length = 0;
    connect("ws://a.test/").terminate();
    assertEquals(made().args, ["ws://a.test/", [], undefined]);
  });
});

Deno.test("React Native: messages pass both ways despite the missing members", async () => {
  await inReactNative(async () => {
    const channel = connect("ws://a.test/");
    channel.sink.add("early");
    const socket = made();
    socket.open();
    await channel.ready;
    assertEquals([channel.protocol, channel.extensions, channel.state], [null, "", "open"]);
    const { events } = record(channel.stream);
    assertEquals(channel.sink.add(Uint8Array.of(1, 2)), true);
    assertEquals(socket.sent, ["early", Uint8Array.of(1, 2)]);
    assertEquals([channel.sink.bufferedAmount, channel.sink.hasRoom], [0, true]);
    await channel.sink.flush();
    socket.emit("message", { data: "text" });
    socket.emit("message", { data: Uint8Array.of(3).buffer });
    await microtasks();
    assertEquals(events, ["text", Uint8Array.of(3)]);
    socket.end(3001, "bye");
    const { code, reason, wasClean, initiator } = await channel.closed;
    assertEquals([code, reason, wasClean, initiator], [3001, "bye", true, "remote"]);
  });
});

Deno.test("React Native: the user's close ends the channel", async () => {
  await inReactNative(async () => {
    const channel = connect("ws://a.test/");
    made().open();
    await channel.ready;
    const closing = channel.sink.close(3000, "done");
    assertEquals(made().closes, [[3000, "done"]]);
    made().end(3000, "done");
    await closing;
    const { code, wasClean, initiator } = await channel.closed;
    assertEquals([code, wasClean, initiator], [3000, true, "local"]);
  });
});

Deno.test("React Native: a failed attempt has the platform's message; a lost connection is 1006", async () => {
  await inReactNative(async () => {
    const channel = connect("ws://a.test/");
    made().fail("Expected HTTP 101 response but was '401 Unauthorized'");
    const error = await channel.ready.catch((it: unknown) => it);
    assertInstanceOf(error, ConnectError);
    assertEquals([error.phase, error.status, error.retryable], ["handshake", 401, false]);
    assertEquals(error.message, "Cannot connect to ws://a.test/: the server answered 401");
    ReactNativeWebSocket.made.length = 0;
    const other = connect("ws://a.test/");
    made().open();
    await other.ready;
    made().fail("Software caused connection abort");
    const { code, initiator, wasClean } = await other.closed;
    assertEquals([code, initiator, wasClean], [1006, "transport", false]);
  });
});
