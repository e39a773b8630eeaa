import { assertEquals, assertStrictEquals } from "@std/assert";
import type { Fragment } from "../../src/protocol/protocol_events.ts";
import { OutgoingMessage } from "../../src/web_socket/outgoing_message.ts";
import { type FragmentTransport, OutgoingQueue } from "../../src/web_socket/outgoing_queue.ts";
import { deferred, rejection } from "../support/promises.ts";
import { until } from "../support/turns.ts";

/** A queue over a transport that records what is sent, and has room when the test allows it. */
function queue() {
  const sent: string[] = [];
  const seen: string[] = [];
  let room = deferred();
  const transport = {
    load: 0,
    hasRoom: true,
    isOpen: true,
    whenRoom: () => room.promise,
    sendFragment(payload: Uint8Array, { opcode, fin, compress }: Fragment): boolean {
      sent.push(`${opcode}${fin ? " fin" : ""}${compress ? "" : " plain"} ${payload.length}`);
      return transport.isOpen;
    },
  };
  const outgoing = new OutgoingQueue(transport as unknown as FragmentTransport, {
    onSent: () => seen.push("sent"),
    onSourceFailed: (error) => seen.push(`failed ${(error as Error).message}`),
    onCutOff: () => seen.push("cut off"),
  });
  const open = (): void => {
    transport.hasRoom = true;
    room.resolve();
    room = deferred();
  };
  return { outgoing, transport, sent, seen, open };
}

Deno.test("outgoing queue: it sends fragments, and an empty last one. RFC 6455 §5.4", async () => {
  const { outgoing, sent, seen } = queue();
  const text = new OutgoingMessage(["a", "bc"], { kind: "text" });
  outgoing.start(text);
  await text.done.promise;
  const bytes = new OutgoingMessage([new Uint8Array(3)], { kind: "binary", compress: false });
  outgoing.start(bytes);
  await bytes.done.promise;
  const empty = new OutgoingMessage([], { kind: "text" });
  outgoing.start(empty);
  await empty.done.promise;
  await until(() => seen.length === 3);
  assertEquals(sent, ["1 1", "0 2", "0 fin 0", "2 plain 3", "0 fin plain 0", "1 fin 0"]);
  assertEquals([seen, outgoing.hasBegun], [["sent", "sent", "sent"], false]);
});

Deno.test("outgoing queue: messages that are added meanwhile stay in order and count", () => {
  const { outgoing } = queue();
  const bytes = Uint8Array.of(1, 2);
  const streamed = new OutgoingMessage(["a"], { kind: "text" });
  outgoing.send("é", undefined);
  outgoing.send(bytes, { compress: false });
  outgoing.push(streamed);
  bytes.fill(9);
  assertEquals([outgoing.length, outgoing.size, outgoing.load], [3, 4, 7]);
  assertEquals(outgoing.shift(), { message: "é", options: undefined } as never);
  assertEquals(outgoing.shift(), {
    message: Uint8Array.of(1, 2),
    options: { compress: false },
  } as never);
  assertStrictEquals(outgoing.shift(), streamed);
  assertEquals([outgoing.length, outgoing.size], [0, 0]);
});

Deno.test("outgoing queue: it does not read the source while there is no room", async () => {
  const { outgoing, transport, sent, seen, open } = queue();
  let pulled = 0;
  const message = new OutgoingMessage(
    function* () {
      for (; pulled < 3; pulled++) {
        yield "a";
        transport.hasRoom = false;
      }
    }(),
    { kind: "text" },
  );
  outgoing.start(message);
  await until(() => sent.length === 2);
  for (let i = 2; seen.length === 0; i++) {
    assertEquals(sent.length, i);
    open();
    await until(() => sent.length > i || seen.length > 0);
  }
  await message.done.promise;
  assertEquals(sent, ["1 1", "0 1", "0 1", "0 fin 0"]);
});

Deno.test("outgoing queue: a failing source, an abort before and after the first fragment, and an end", async () => {
  const failing = queue();
  const failed = new OutgoingMessage(
    function* () {
      yield "a";
      throw new Error("source");
    }(),
    { kind: "text" },
  );
  failing.outgoing.start(failed);
  assertEquals((await rejection(failed.done.promise) as Error).message, "source");
  await until(() => failing.seen.length === 2);
  assertEquals(failing.seen, ["failed source", "sent"]);

  for (const begins of [false, true]) {
    const { outgoing, seen, sent } = queue();
    const controller = new AbortController();
    const source = new ReadableStream<string>({ start: (it) => begins && it.enqueue("a") });
    const message = new OutgoingMessage(source, { kind: "text", signal: controller.signal });
    outgoing.start(message);
    if (begins) await until(() => sent.length === 1);
    controller.abort(new Error("abort"));
    assertEquals((await rejection(message.done.promise) as Error).message, "abort");
    await until(() => seen.includes("sent"));
    assertEquals(seen, begins ? ["failed abort", "sent"] : ["sent"]);
  }

  const ended = queue();
  let isCancelled = false;
  const source = new ReadableStream<string>({
    start: (it) => it.enqueue("a"),
    cancel: () => void (isCancelled = true),
  });
  ended.outgoing.start(new OutgoingMessage(source, { kind: "text" }));
  await until(() => ended.outgoing.hasBegun);
  ended.outgoing.end();
  await until(() => ended.seen.length === 2);
  assertEquals([ended.seen, isCancelled], [["cut off", "sent"], true]);
});
