/**
 * Many busy connections: the server's processor time for a message. That is
 * more stable than a rate, and does not depend on the speed of the load.
 */

import { delay, pooledMap } from "@std/async";
import type { Socket } from "node:net";
import { apart } from "../affinity.ts";
import { type Contender, type Effort, measureAll } from "../measure.ts";
import { sizeName } from "../numbers.ts";
import { upgraded } from "../raw.ts";
import { median, type Row } from "../row.ts";
import { descriptors, runtime } from "../runtime.ts";
import { type ServerProcess, startServer } from "../server_process.ts";
import type { ServerName } from "../servers.ts";
import { rowOf } from "./section.ts";

const SERVERS: readonly ServerName[] = [
  "ours",
  "ws",
  "floor",
  ...(runtime === "Deno" ? ["Deno.serve"] as const : []),
  ...(runtime === "Bun" ? ["Bun.serve"] as const : []),
];

/** The number of connections, of messages in flight on each, and of bytes in a message. */
type Load = readonly [connections: number, window: number, size: number];

/** The rows to measure. The next row reuses the connections of a row, so their number only increases. */
const LOADS: readonly Load[] = [100, 512, 1000, 3000, 10_000].flatMap((connections): Load[] => [
  [connections, 1, 5],
  [connections, 16, 5],
  [connections, 1, 64],
  [connections, 16, 64],
  ...(connections === 100 || connections === 1000 ? [[connections, 1, 16_384] as const] : []),
]);
const QUICK_LOADS: readonly Load[] = [[10, 1, 5], [10, 16, 64]];

const AUDIENCES = [100, 1000, 10_000];
const BROADCAST_SIZE = 64;

/** The rows that have a name in HttpArena. */
const HTTP_ARENA: Readonly<Record<string, string>> = {
  "512-1-5": " (HttpArena's echo-ws)",
  "512-16-5": " (HttpArena's echo-ws-pipeline)",
};

/** Echo on many connections, then broadcasts to many. */
export async function* rows(effort: Effort): AsyncGenerator<Row> {
  // Each contender has as many connections as the limit of open files allows for all.
  const most = Math.floor((descriptors() - 500) / SERVERS.length);
  const crowds: Crowd[] = [];
  for (const name of SERVERS) crowds.push(new Crowd(name, await startServer(name)));
  const release = apart(crowds.map(({ server }) => server.pid));
  const longer = effort.quick ? effort : { ...effort, milliseconds: effort.milliseconds * 2 };
  try {
    const echoes: Row[] = [];
    for (const load of effort.quick ? QUICK_LOADS : LOADS) {
      const row = await echoRow(crowds, load, most, longer);
      if (load[1] === 1 && load[2] <= 64) echoes.push({ ...row, x: String(load[0]) });
      yield row;
    }
    yield curves(echoes);
    for (const audience of effort.quick ? [10] : AUDIENCES) {
      yield await broadcastRow(crowds, Math.min(audience, most), longer);
    }
  } finally {
    release();
    for (const crowd of crowds) crowd.leave();
  }
}

async function echoRow(
  crowds: readonly Crowd[],
  [wanted, window, size]: Load,
  most: number,
  effort: Effort,
): Promise<Row> {
  const connections = Math.min(wanted, most);
  const contenders: Contender[] = [];
  for (const crowd of crowds) {
    await crowd.grow(connections);
    const echo = new Echo(crowd.sockets.slice(0, connections), window, size);
    contenders.push({
      name: crowd.name,
      measure: (milliseconds) => crowd.cost(() => echo.run(milliseconds)),
    });
  }
  const id = `${wanted}-${window}-${size}`;
  const arena = HTTP_ARENA[id] ?? "";
  return rowOf({
    id: `many-${id}`,
    title: `Echo on ${connections} connections, ${window} in flight on each, ${
      sizeName(size)
    }${arena}`,
    unit: "µs of the server's processor per message",
    better: "less",
    note: NOTE,
  }, await measureAll(contenders, effort));
}

/** The cost by the number of connections: for each number, the row with the largest messages. */
function curves(echoes: readonly Row[]): Row {
  const points = new Map<string, Map<number, number>>();
  for (const { results, x } of echoes) {
    for (const { name, values } of results) {
      const curve = points.get(name) ?? new Map<number, number>();
      points.set(name, curve.set(Number(x), median(values)));
    }
  }
  return rowOf(
    {
      id: "many-growth",
      title: "Echo of a small message over the number of connections, 1 in flight on each",
      unit: "µs of the server's processor per message",
      x: "connections",
      better: "less",
      note: NOTE,
    },
    [...points].map(([name, curve]) => ({
      name,
      values: [...curve.values()].slice(-1),
      points: [...curve],
    })),
  );
}

const NOTE =
  "The server in one process, bare sockets that write frames made beforehand in another, a processor " +
  "for each. The floor is ten lines of node:net that unmask a frame and write it back.";

async function broadcastRow(
  crowds: readonly Crowd[],
  audience: number,
  effort: Effort,
): Promise<Row> {
  const contenders: Contender[] = [];
  for (const crowd of crowds) {
    // A broadcast reaches all connections, so their number must be exact.
    await crowd.shrink(audience);
    await crowd.grow(audience);
    contenders.push({
      name: crowd.name,
      measure: (milliseconds) => crowd.cost(() => crowd.hear(milliseconds)),
    });
  }
  return rowOf({
    id: `many-broadcast-${audience}`,
    title: `Broadcast of ${sizeName(BROADCAST_SIZE)} to ${audience} connections`,
    unit: "µs of the server's processor per delivery",
    better: "less",
    note:
      "One broadcast in each turn of the server's event loop. The floor is a loop of socket.write.",
  }, await measureAll(contenders, effort));
}

/** A server, and the connections to it. */
class Crowd {
  readonly name: ServerName;
  readonly server: ServerProcess;
  readonly sockets: Socket[] = [];

  constructor(name: ServerName, server: ServerProcess) {
    this.name = name;
    this.server = server;
  }

  async grow(connections: number): Promise<void> {
    const { port } = this.server;
    const missing = Array.from({ length: connections - this.sockets.length });
    const opened = pooledMap(100, missing, () => upgraded(port, "none"));
    for await (const socket of opened) this.sockets.push(socket);
  }

  /** Closes the connections above this number, and waits until the server has released them. */
  async shrink(connections: number): Promise<void> {
    for (const socket of this.sockets.splice(connections)) socket.destroy();
    while (await this.server.connections() > connections) {
      await delay(10);
    }
  }

  leave(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.stop();
  }

  /** The server's processor time for each message that `work` counts, in microseconds. */
  async cost(work: () => Promise<number>): Promise<number> {
    const before = await this.server.processorTime();
    const messages = await work();
    return (await this.server.processorTime() - before) / messages;
  }

  /** Lets the server broadcast for this time. Returns the number of received messages. */
  async hear(milliseconds: number): Promise<number> {
    const length = headerSize(BROADCAST_SIZE) + BROADCAST_SIZE;
    const rounds = 20;
    let missing = 0;
    let allIn = (): void => {};
    for (const socket of this.sockets) {
      socket.removeAllListeners("data");
      socket.on("data", (chunk: Uint8Array) => {
        missing -= chunk.length;
        if (missing === 0) allIn();
      });
      socket.resume();
    }
    const start = performance.now();
    let heard = 0;
    do {
      missing = rounds * this.sockets.length * length;
      const done = new Promise<void>((resolve) => allIn = resolve);
      await this.server.broadcast(rounds, BROADCAST_SIZE, 1);
      await done;
      heard += rounds * this.sockets.length;
    } while (performance.now() - start < milliseconds);
    return heard;
  }
}

/** The length of the header of a server's frame. RFC 6455 §5.2. */
function headerSize(size: number): number {
  return size < 126 ? 2 : size < 0x1_0000 ? 4 : 10;
}

/** A client's frame; a short one is a text, as in HttpArena. */
function maskedFrame(size: number): Uint8Array {
  const header = headerSize(size);
  const frame = new Uint8Array(header + 4 + size);
  frame[0] = size === 5 ? 0x81 : 0x82;
  frame[1] = 0x80 | (size < 126 ? size : 126);
  if (size >= 126) new DataView(frame.buffer).setUint16(2, size);
  const key = Uint8Array.of(0x5a, 0x3c, 0x9e, 0x71);
  frame.set(key, header);
  for (let i = 0; i < size; i++) frame[header + 4 + i] = 97 ^ (key[i & 3] as number);
  return frame;
}

/** Keeps a number of messages in flight on each connection. */
class Echo {
  readonly #sockets: readonly Socket[];
  readonly #window: number;
  readonly #answer: number;
  readonly #frame: number;
  /** The maximum number of frames that a connection sends at once. */
  readonly #frames: Uint8Array;

  constructor(sockets: readonly Socket[], window: number, size: number) {
    this.#sockets = sockets;
    this.#window = window;
    this.#answer = headerSize(size) + size;
    const frame = maskedFrame(size);
    this.#frame = frame.length;
    this.#frames = new Uint8Array(frame.length * window);
    for (let i = 0; i < window; i++) this.#frames.set(frame, i * frame.length);
  }

  /** Echoes for this time, and waits for all answers. Returns the number of messages. */
  run(milliseconds: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const answer = this.#answer;
      const start = performance.now();
      let received = 0;
      let inFlight = this.#sockets.length * this.#window;
      let isOver = false;
      let untilLook = 256;
      for (const socket of this.#sockets) {
        let partial = 0;
        socket.removeAllListeners("data");
        socket.removeAllListeners("close");
        socket.once("close", () => reject(new Error("The connection ended")));
        socket.on("data", (chunk: Uint8Array) => {
          const bytes = partial + chunk.length;
          const messages = Math.floor(bytes / answer);
          partial = bytes - messages * answer;
          if (messages === 0) return;
          received += messages;
          if ((untilLook -= messages) < 0) {
            untilLook = 256;
            isOver ||= performance.now() - start >= milliseconds;
          }
          if (!isOver) return void socket.write(this.#frames.subarray(0, messages * this.#frame));
          if ((inFlight -= messages) === 0) resolve(received);
        });
        socket.resume();
        socket.write(this.#frames);
      }
    });
  }
}
