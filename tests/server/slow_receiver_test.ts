import { assertEquals } from "@std/assert";
import { PreparedMessage } from "../../src/protocol/prepared_message.ts";
import { type SlowPolicy, SlowReceiver } from "../../src/server/slow_receiver.ts";
import type { WebSocketChannel } from "../../src/web_socket/web_socket_channel.ts";
import { microtasks } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

/** The part of a channel that the code under test uses; the test controls its room. */
class FakeReceiver {
  readonly clock = new ManualClock();
  readonly sent: (string | Uint8Array)[] = [];
  closedWith: unknown = null;
  onClose = (..._args: unknown[]): void => {};
  caughtUp = 0;
  onSend = (): void => {};
  amount = 100;
  state = "open";
  #room: Promise<void> = Promise.resolve();
  #hasRoom = true;
  #open = (): void => {};
  readonly receiver: SlowReceiver;

  constructor() {
    this.fill();
    const sink = {
      close: (...args: unknown[]) => {
        this.onClose(...args);
        this.closedWith = args;
        this.state = "closing";
        this.#open();
        return Promise.resolve();
      },
    };
    Object.defineProperty(sink, "hasRoom", { get: () => this.#hasRoom });
    Object.defineProperty(sink, "ready", { get: () => this.#room });
    Object.defineProperty(sink, "bufferedAmount", { get: () => this.amount });
    const channel = { sink };
    Object.defineProperty(channel, "state", { get: () => this.state });
    this.receiver = new SlowReceiver(channel as unknown as WebSocketChannel, this.clock, {
      amount: () => this.amount,
      send: (message) => {
        this.sent.push(message.content);
        this.onSend();
      },
      onCaughtUp: () => this.caughtUp++,
    });
  }

  /** Removes the room. */
  fill(): void {
    this.#hasRoom = false;
    this.#room = new Promise((resolve) => {
      this.#open = () => {
        this.#hasRoom = true;
        this.#room = Promise.resolve();
        resolve();
      };
    });
  }

  /** Makes room. */
  async drain(): Promise<void> {
    this.#open();
    await microtasks();
  }

  add(text: string, policy: Partial<SlowPolicy> = {}): void {
    const defaults = {
      slow: "close",
      maxQueueSize: 4,
      stallTimeout: 80,
      send: undefined,
    } as const;
    this.receiver.add(new PreparedMessage(text), { ...defaults, ...policy });
  }
}

Deno.test("messages wait in order, and are sent when there is room", async () => {
  const it = new FakeReceiver();
  it.add("a");
  it.add("b");
  await microtasks();
  assertEquals([it.sent, it.receiver.length], [[], 2]);
  await it.drain();
  assertEquals([it.sent, it.caughtUp, it.clock.pending], [["a", "b"], 1, 0]);
});

Deno.test("drop-oldest: above the limit the oldest are dropped; the newest stays, even if it is larger", async () => {
  const it = new FakeReceiver();
  for (const text of ["aa", "bb", "cc", "d"]) it.add(text, { slow: "drop-oldest" });
  assertEquals(it.receiver.length, 2);
  await it.drain();
  assertEquals(it.sent, ["cc", "d"]);
  const large = new FakeReceiver();
  large.add("a", { slow: "drop-oldest" });
  large.add("much too large", { slow: "drop-oldest" });
  await large.drain();
  assertEquals(large.sent, ["much too large"]);
});

Deno.test("latest: only the latest message waits", async () => {
  const it = new FakeReceiver();
  for (const text of ["a", "b", "c"]) it.add(text, { slow: "latest" });
  assertEquals(it.receiver.length, 1);
  await it.drain();
  assertEquals(it.sent, ["c"]);
});

Deno.test("attack 44: a slow receiver that makes progress stays open, whatever the queue's size", async () => {
  const it = new FakeReceiver();
  it.add("a", { maxQueueSize: Infinity });
  for (let i = 0; i < 100; i++) {
    it.add("more", { maxQueueSize: Infinity });
    it.clock.advance(70);
    it.amount--;
    it.clock.advance(10);
  }
  assertEquals([it.closedWith, it.receiver.length], [null, 101]);
  it.state = "closed";
  await it.drain();
});

Deno.test("attack 44: sent messages count as progress, even if the queue's size stays the same", async () => {
  const it = new FakeReceiver();
  it.add("a", { maxQueueSize: Infinity });
  for (let i = 0; i < 20; i++) {
    it.add("b", { maxQueueSize: Infinity });
    it.add("c", { maxQueueSize: Infinity });
    it.clock.advance(70);
    // One message leaves the queue, and another one enters.
    it.onSend = () => it.fill();
    await it.drain();
    assertEquals(it.sent.length, i + 1);
  }
  assertEquals([it.closedWith, it.sent.length], [null, 20]);
  it.state = "closed";
  await it.drain();
});

for (const slow of ["close", "drop-oldest", "latest"] as const) {
  Deno.test(`attack 44: the server closes a receiver that makes no progress within stallTimeout: ${slow}`, async () => {
    const it = new FakeReceiver();
    it.add("a", { slow });
    it.clock.advance(79);
    assertEquals(it.closedWith, null);
    it.clock.advance(1);
    assertEquals(it.closedWith, [1013, "Too slow"]);
    assertEquals([it.receiver.length, it.caughtUp, it.clock.pending], [0, 1, 0]);
    it.add("late");
    await microtasks();
    assertEquals([it.sent, it.receiver.length], [[], 0]);
  });
}

Deno.test("attack 44: close: the server closes a receiver that stays too far behind, even if it reads a little", () => {
  const it = new FakeReceiver();
  it.add("aaaaaaa");
  for (let i = 0; i < 7; i++) {
    it.amount--;
    it.clock.advance(10);
  }
  assertEquals(it.closedWith, null);
  it.amount--;
  it.clock.advance(10);
  assertEquals(it.closedWith, [1013, "Too slow"]);
});

Deno.test("the queue of a channel that ends is discarded", async () => {
  const it = new FakeReceiver();
  it.add("a");
  it.state = "closed";
  await it.drain();
  assertEquals([it.sent, it.caughtUp, it.clock.pending], [[], 1, 0]);
});

Deno.test("the server closes a stalled receiver without a code if its socket refuses 1013", () => {
  const it = new FakeReceiver();
  it.onClose = (code) => {
    if (code === 1013) throw new RangeError("Cannot close: the code must be 1000 or 3000-4999");
  };
  it.add("a");
  it.clock.advance(80);
  assertEquals([it.closedWith, it.clock.pending], [[], 0]);
});

Deno.test("a receiver that throws on send is closed, and other receivers continue", async () => {
  const it = new FakeReceiver();
  it.onSend = () => {
    throw new Error("an addStream runs");
  };
  it.add("a");
  it.add("b");
  await it.drain();
  assertEquals([it.closedWith, it.caughtUp, it.clock.pending], [[1011, "Cannot send"], 1, 0]);
});
