import { assertEquals, assertThrows } from "@std/assert";
import { MessagePortChannel } from "../../src/stream_channel/mod.ts";
import { releasePort, takePort } from "../../src/stream_channel/ports.ts";
import { assertInvalidState } from "../support/events.ts";

Deno.test("a port has one channel at a time", () => {
  const port = {};
  takePort(port, "channel");
  assertInvalidState(() => takePort(port, "channel"));
  assertInvalidState(() => takePort(port, "receiving"));
  assertInvalidState(() => takePort(port, "sent"));
  takePort({}, "channel");
  releasePort(port, "channel");
  takePort(port, "channel");
});

Deno.test("a port receives one channel in its life, unless the wait for it was aborted", () => {
  const port = {};
  takePort(port, "receiving");
  assertInvalidState(() => takePort(port, "receiving"));
  assertInvalidState(() => takePort(port, "channel"));
  releasePort(port, "receiving");
  takePort(port, "receiving");
  releasePort(port, "receiving", "received");
  assertInvalidState(() => takePort(port, "receiving"));
  takePort(port, "channel");
});

Deno.test("a port sends one channel in its life", () => {
  const port = {};
  takePort(port, "sent");
  assertInvalidState(() => takePort(port, "sent"));
  takePort(port, "receiving");
});

Deno.test("a call that fails leaves the port free", async () => {
  const { port1, port2 } = new MessageChannel();
  const { port1: other1, port2: other2 } = new MessageChannel();
  const failing = (port: MessagePort, name: "postMessage" | "addEventListener" | "start") => {
    Object.defineProperty(port, name, {
      configurable: true,
      value: () => {
        throw new Error(`${name} fails`);
      },
    });
  };
  const heal = (port: MessagePort, name: string) => delete (port as never)[name];
  try {
    failing(port1, "postMessage");
    assertThrows(() => MessagePortChannel.connectSend(port1), Error, "postMessage fails");
    const small = { highWaterMark: 10 };
    assertThrows(() => new MessagePortChannel(port1, small), Error, "postMessage fails");
    heal(port1, "postMessage");
    for (const name of ["addEventListener", "start"] as const) {
      failing(port1, name);
      assertThrows(() => MessagePortChannel.connectReceive(port1), Error, `${name} fails`);
      assertThrows(() => new MessagePortChannel(port1), Error, `${name} fails`);
      heal(port1, name);
    }
    const sent = MessagePortChannel.connectSend<string>(port1);
    const received = MessagePortChannel.connectReceive<string>(port2);
    sent.sink.add("hello");
    assertEquals((await received.stream.next()).value, "hello");
    await sent.sink.close();
    await received.sink.close();
    const [here, there] = [other1, other2].map((port) => new MessagePortChannel<string>(port));
    here?.sink.add("hello");
    assertEquals((await there?.stream.next())?.value, "hello");
    await here?.sink.close();
    await there?.sink.close();
  } finally {
    for (const port of [port1, port2]) port.close();
  }
});

const waysToOpen = [
  (port: ConstructorParameters<typeof MessagePortChannel>[0]) => new MessagePortChannel(port),
  (port: MessagePort) => new MessagePortChannel(port, { raw: true }),
  MessagePortChannel.connectReceive,
  MessagePortChannel.connectSend,
] as const;

Deno.test("self outside a worker is rejected", () => {
  const isWorker = "WorkerGlobalScope" in globalThis || "Bun" in globalThis;
  if (isWorker) return;
  for (const open of waysToOpen) {
    assertThrows(
      () => void open(globalThis as unknown as MessagePort),
      TypeError,
      "this is not a worker",
    );
  }
});

Deno.test("a value that is not a port is rejected, each time for the same reason", () => {
  const post = (): void => {};
  const notAPort = { postMessage: post };
  for (let i = 0; i < 2; i++) {
    assertThrows(() => new MessagePortChannel(notAPort), TypeError, "not a port");
    assertThrows(() => MessagePortChannel.connectReceive(notAPort), TypeError, "not a port");
    for (const value of [{}, "port", 42, null, undefined] as unknown[] as MessagePort[]) {
      for (const open of waysToOpen) assertThrows(() => void open(value), TypeError, "not a port");
    }
  }
});
