/** Attack 66: the platform's own workers that end without a message. Also in Chromium. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { MessagePortChannel } from "../../src/stream_channel/mod.ts";
import { assertInvalidState, microtasks, record } from "../support/events.ts";

const hasWorkers = typeof Worker === "function";

/** Starts a worker with this source, which implements the wire format itself. */
function start(source: string): Worker {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  return new Worker(url, { type: "module" });
}

function test(
  name: string,
  fn: () => Promise<void>,
  options: { readonly sanitizeResources?: boolean } = {},
): void {
  Deno.test({ name: `attack 66: ${name}`, ignore: !hasWorkers, fn, ...options });
}

/** Returns the error of a stream; fails if the stream ends without one. */
async function failure(channel: { stream: AsyncIterable<unknown> }): Promise<Error> {
  return await assertRejects(async () => {
    for await (const _ of channel.stream);
  }, Error);
}

const ECHO = `
  self.onmessage = ({ data }) => {
    if (Array.isArray(data)) self.postMessage(data);
  };
`;

const BROKEN: Readonly<Record<string, () => Worker>> = {
  "is missing": () => {
    const url = URL.createObjectURL(new Blob([""]));
    URL.revokeObjectURL(url);
    return new Worker(url, { type: "module" });
  },
  "doesn't parse": () => start("let let"),
  "throws at its start": () => start(`throw new Error("at its start")`),
  "throws later": () => start(`self.onmessage = () => { throw new Error("later"); }`),
};

for (const [name, startBroken] of Object.entries(BROKEN)) {
  test(`a worker's script ${name}: the stream fails, and the sink drops values`, async () => {
    for (const raw of [false, true]) {
      const worker = startBroken();
      const channel = new MessagePortChannel<string>(worker, { raw });
      channel.sink.add("hello");
      const error = await failure(channel);
      assertStringIncludes(error.message, "Cannot receive: the worker failed");
      if (name.includes("throws")) assertStringIncludes(error.message, name.split(" ")[1] ?? "");
      await channel.sink.done;
      assertFalse(channel.sink.add("late"));
      worker.terminate();
    }
  });

  if (name !== "throws later") {
    // Deno frees a port that was sent to a broken worker some time after the worker has ended.
    const options = { sanitizeResources: false };
    test(`a worker's script ${name}: connectReceive and connectSend fail as well`, async () => {
      for (const how of ["connectReceive", "connectSend"] as const) {
        const worker = startBroken();
        const channel = MessagePortChannel[how]<string>(worker);
        const error = await failure(channel);
        // Deno first reports that a transferred port has closed.
        assertStringIncludes(error.message, "Cannot receive: the ");
        await channel.sink.done;
        assertFalse(channel.sink.add("late"));
        // The worker's own error event must not cause an error either.
        await microtasks();
        worker.terminate();
      }
    }, options);
  }
}

test("foreign messages to and from a worker do not affect the channel", async () => {
  const worker = start(`
    const foreign = [{ type: "hot-update" }, "text", null, undefined, [1, 2, 3], [1, "2"], NaN];
    for (const it of foreign) self.postMessage(it);
    ${ECHO}
  `);
  const channel = new MessagePortChannel<string>(worker);
  channel.sink.add("hello");
  assertEquals((await channel.stream.next()).value, "hello");
  worker.postMessage({ type: "foreign" });
  channel.sink.add("again");
  assertEquals((await channel.stream.next()).value, "again");
  await channel.sink.close();
  worker.terminate();
});

test("a second channel on one worker is an InvalidStateError, but a later one after the first is allowed", async () => {
  const worker = start(ECHO);
  const channel = new MessagePortChannel<string>(worker);
  assertInvalidState(() => new MessagePortChannel(worker));
  assertInvalidState(() => new MessagePortChannel(worker, { raw: true }));
  assertInvalidState(() => MessagePortChannel.connectReceive(worker));
  channel.sink.add("hello");
  assertEquals((await channel.stream.next()).value, "hello");
  await channel.sink.close();
  const second = new MessagePortChannel<string>(worker, { raw: true });
  await second.sink.close();
  worker.terminate();
});

Deno.test("attack 66: connectReceive or connectSend twice on one port is an InvalidStateError", async () => {
  const { port1, port2 } = new MessageChannel();
  const received = MessagePortChannel.connectReceive<string>(port1);
  assertInvalidState(() => MessagePortChannel.connectReceive(port1));
  assertInvalidState(() => new MessagePortChannel(port1));
  const sent = MessagePortChannel.connectSend<string>(port2);
  assertInvalidState(() => MessagePortChannel.connectSend(port2));
  sent.sink.add("hello");
  assertEquals((await received.stream.next()).value, "hello");
  assertInvalidState(() => MessagePortChannel.connectReceive(port1));
  // The other direction is a separate channel, and so is the port itself.
  const back = MessagePortChannel.connectSend<string>(port1);
  const other = MessagePortChannel.connectReceive<string>(port2);
  back.sink.add("back");
  assertEquals((await other.stream.next()).value, "back");
  const [here, there] = [port1, port2].map((port) => new MessagePortChannel<string>(port));
  here?.sink.add("here");
  assertEquals((await there?.stream.next())?.value, "here");
  for (const { sink } of [sent, back]) await sink.close();
  await here?.sink.close();
  for (const { sink } of [received, other]) await sink.done;
  await there?.sink.done;
});

Deno.test("attack 66: an aborted connectReceive leaves the port free", async () => {
  const { port1, port2 } = new MessageChannel();
  const early = MessagePortChannel.connectReceive<string>(port1);
  await early.sink.close();
  const received = MessagePortChannel.connectReceive<string>(port1);
  const sent = MessagePortChannel.connectSend<string>(port2);
  sent.sink.add("hello");
  assertEquals((await received.stream.next()).value, "hello");
  await sent.sink.close();
  await received.sink.done;
  port1.close();
  port2.close();
});

Deno.test("attack 66: a BroadcastChannel needs raw", async () => {
  const [one, two] = [1, 2].map(() => new BroadcastChannel("attack 66"));
  assert(one !== undefined && two !== undefined);
  await assertRejects(async () => await new MessagePortChannel(one).sink.done, TypeError, "raw");
  await assertRejects(
    async () => await MessagePortChannel.connectSend(one).sink.done,
    TypeError,
    "BroadcastChannel",
  );
  await assertRejects(
    async () => await MessagePortChannel.connectReceive(one).sink.done,
    TypeError,
    "BroadcastChannel",
  );
  const here = new MessagePortChannel<string>(one, { raw: true });
  const there = new MessagePortChannel<string>(two, { raw: true });
  assertInvalidState(() => new MessagePortChannel(one, { raw: true }));
  const next = there.stream.next();
  here.sink.add("hello");
  assertEquals((await next).value, "hello");
  await here.sink.close();
  await there.sink.close();
});

Deno.test("attack 66: an error event on a port that is not a worker has no effect", async () => {
  const { port1, port2 } = new MessageChannel();
  const here = new MessagePortChannel<string>(port1);
  const there = new MessagePortChannel<string>(port2);
  const { events } = record(here.stream);
  port1.dispatchEvent(new Event("error"));
  await microtasks();
  assertEquals(events, []);
  await there.sink.close();
  await here.sink.done;
});
