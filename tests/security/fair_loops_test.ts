/**
 * Loops that obey backpressure with a peer that keeps up, or that read messages already queued: timers and
 * other connections get their turn. The limit only ends a failing test.
 */

import { assert } from "@std/assert";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import { StreamController } from "../support/controllers.ts";
import { StreamChannel } from "../../src/stream_channel/stream_channel.ts";
import { WebSocketChannel } from "../../src/web_socket_channel.ts";

const BOUND = 20_000;

/** Whether a timer fired while the loop ran; the loop ends then. */
class Watch {
  readonly #start = performance.now();
  readonly #timer: ReturnType<typeof setTimeout>;
  called = false;

  constructor() {
    this.#timer = setTimeout(() => this.called = true, 0);
  }

  /** Whether the loop should continue. */
  get goesOn(): boolean {
    return !this.called && performance.now() - this.#start < BOUND;
  }

  check(): void {
    clearTimeout(this.#timer);
    assert(this.called, "No timer was called");
  }
}

interface Ends {
  readonly sender: StreamChannel<string>;
  close(): Promise<void>;
}

/** Sinks to send through, with a peer that takes everything at once. */
const KINDS: Record<string, () => Ends> = {
  "a pair": () => {
    const { local, foreign } = channelPair<string>();
    foreign.stream.listen(() => {});
    return { sender: local, close: () => local.sink.close() };
  },
  "a WebSocket over bytes": () => {
    const { local, foreign } = channelPair<Uint8Array>();
    const client = WebSocketChannel.over(local, { side: "client" });
    const server = WebSocketChannel.over(foreign, { side: "server" });
    server.stream.listen(() => {});
    const sender = client as unknown as StreamChannel<string>;
    return { sender, close: () => client.sink.close() };
  },
  "a WebSocket's server": () => {
    const { local, foreign } = channelPair<Uint8Array>();
    const client = WebSocketChannel.over(local, { side: "client" });
    const server = WebSocketChannel.over(foreign, { side: "server" });
    client.stream.listen(() => {});
    const sender = server as unknown as StreamChannel<string>;
    return { sender, close: () => client.sink.close() };
  },
  "a WritableStream": () => {
    const sender = StreamChannel.from<string, string>({
      readable: new ReadableStream<string>(),
      writable: new WritableStream<string>(),
    });
    return { sender, close: () => sender.sink.close() };
  },
};

const LOOPS: Record<string, (sender: StreamChannel<string>, watch: Watch) => Promise<unknown>> = {
  async "await sink.ready"({ sink }, watch) {
    while (watch.goesOn) {
      sink.add("x");
      await sink.ready;
    }
  },
  async "await sink.flush()"({ sink }, watch) {
    while (watch.goesOn) {
      sink.add("x");
      await sink.flush();
    }
  },
  async "large messages"({ sink }, watch) {
    const large = "x".repeat(100_000);
    while (watch.goesOn) {
      sink.add(large);
      await sink.ready;
    }
  },
  "addStream of an array's kind": ({ sink }, watch) =>
    sink.addStream(function* (): Generator<string> {
      while (watch.goesOn) yield "x";
    }()),
  "addStream of an async generator": ({ sink }, watch) =>
    sink.addStream(async function* (): AsyncGenerator<string> {
      while (watch.goesOn) yield "x";
    }()),
  async "sink.writable"({ sink }, watch) {
    const writer = sink.writable.getWriter();
    while (watch.goesOn) await writer.write("x");
  },
  "pipeTo(sink.writable)": ({ sink }, watch) =>
    new ReadableStream<string>({
      pull: (controller) => watch.goesOn ? controller.enqueue("x") : controller.close(),
    }).pipeTo(sink.writable, { preventClose: true }),
  async "pipe from a ReadableStream"(sender, watch) {
    const readable = new ReadableStream<string>({
      pull: (controller) => watch.goesOn ? controller.enqueue("x") : controller.close(),
    });
    const source = StreamChannel.from<string, string>({
      readable,
      writable: new WritableStream<string>(),
    });
    void source.pipe(sender).catch(() => {});
    await sender.sink.done;
  },
};

for (const [kind, ends] of Object.entries(KINDS)) {
  for (const [name, loop] of Object.entries(LOOPS)) {
    Deno.test(`attack 56: ${name}, ${kind}: timers still fire`, async () => {
      const { sender, close } = ends();
      const watch = new Watch();
      await loop(sender, watch);
      watch.check();
      await close().catch(() => {});
    });
  }
}

/** A stream that always has another value. */
function endless(watch: Watch): StreamController<string> {
  const fill = (): void => {
    while (!controller.isPaused && watch.goesOn) controller.add("x");
    if (!watch.goesOn) controller.end();
  };
  const controller = new StreamController<string>({ resume: fill }, { highWaterMark: 1000 });
  fill();
  return controller;
}

const READERS: Record<
  string,
  (stream: StreamController<string>["stream"]) => Promise<void>
> = {
  async "for await"(stream) {
    for await (const _ of stream);
  },
  async "next()"(stream) {
    while (!(await stream.next()).done);
  },
  async "readable"(stream) {
    const reader = stream.readable.getReader();
    while (!(await reader.read()).done);
  },
  "readable.pipeTo": (stream) => stream.readable.pipeTo(new WritableStream()),
};

for (const [name, read] of Object.entries(READERS)) {
  Deno.test(`attack 56: ${name} of values that are already queued: timers still fire`, async () => {
    const watch = new Watch();
    await read(endless(watch).stream);
    watch.check();
  });
}
