/**
 * How many messages arrive over unstable connections: a server publishes numbers to many clients, and a proxy between
 * them resets each connection from time to time, and keeps its client offline for a while.
 */

import { createServer, type Server, Socket } from "node:net";

/** The plan of a run. Times are in milliseconds. */
export interface JitterPlan {
  readonly clients: number;
  /** The number of messages that the server publishes to all clients. */
  readonly messages: number;
  /** The time between two messages. */
  readonly interval: number;
  /** The minimum and maximum lifetime of a connection. */
  readonly uptime: readonly [min: number, max: number];
  /** How long a client can't connect after a reset. */
  readonly offline: number;
  /** How long to wait for late messages at the end. */
  readonly patience: number;
  readonly seed: number;
}

/** A server that publishes, and how its clients connect. */
export interface Contender {
  /** The port of the server. */
  readonly port: number;
  /** How many clients are connected. */
  readonly connected: () => number;
  /** Sends a text to all clients. */
  readonly publish: (text: string) => void;
  /** Connects a client, which reconnects when it can. Returns the function that ends it. */
  readonly connect: (url: string, onMessage: (text: string) => void) => () => void;
  readonly close: () => Promise<void>;
}

/** The counts of a run. */
export interface Delivery {
  /** The number of messages that all clients together should have received. */
  readonly expected: number;
  /** The number of received messages, each counted once for each client. */
  readonly delivered: number;
  /** The number of duplicates. */
  readonly doubled: number;
  /** The number of messages that arrived after a later one. */
  readonly disordered: number;
  /** The number of reset connections. */
  readonly resets: number;
}

/** The client of a connection, which the target of its request names. */
const CLIENT = /[?&]client=(\d+)/;

/** Resets connections. */
class JitterProxy {
  resets = 0;
  /** Whether connections are stable. */
  isCalm = true;
  port = 0;
  readonly #plan: JitterPlan;
  readonly #target: number;
  readonly #random: () => number;
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set<Socket>();
  readonly #timers: Set<ReturnType<typeof setTimeout>> = new Set<ReturnType<typeof setTimeout>>();
  readonly #offlineUntil: Map<string, number> = new Map<string, number>();
  #links: { readonly client: string; readonly ends: readonly Socket[] }[] = [];

  constructor(plan: JitterPlan, target: number) {
    this.#plan = plan;
    this.#target = target;
    this.#random = seeded(plan.seed);
    this.#server = createServer((socket) => this.#accept(socket));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", 4096, resolve));
    this.port = (this.#server.address() as { port: number }).port;
  }

  /** Begins to reset connections. */
  begin(): void {
    this.isCalm = false;
    for (const { client, ends } of this.#links) this.#limit(client, ends);
    this.#links = [];
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }

  #accept(socket: Socket): void {
    this.#keep(socket);
    socket.once("data", (head) => {
      const [, client = ""] = CLIENT.exec(String(head)) ?? [];
      if ((this.#offlineUntil.get(client) ?? 0) > performance.now()) return reset(socket);
      const upstream = new Socket();
      this.#keep(upstream);
      upstream.connect(this.#target, "127.0.0.1");
      upstream.write(head);
      socket.on("data", (chunk) => upstream.write(chunk));
      upstream.on("data", (chunk) => socket.write(chunk));
      socket.on("close", () => upstream.destroy());
      upstream.on("close", () => socket.destroy());
      if (this.isCalm) this.#links.push({ client, ends: [socket, upstream] });
      else this.#limit(client, [socket, upstream]);
    });
  }

  #limit(client: string, ends: readonly Socket[]): void {
    const [min, max] = this.#plan.uptime;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (this.isCalm || ends.every((it) => it.destroyed)) return;
      this.resets++;
      this.#offlineUntil.set(client, performance.now() + this.#plan.offline);
      ends.forEach(reset);
    }, min + this.#random() * (max - min));
    this.#timers.add(timer);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** Ends a connection as a lost network does: with an RST if the runtime can send one. */
function reset(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    socket.destroy();
  }
}

/** Pseudorandom numbers, the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0;
    return state / 0x1_0000_0000;
  };
}

/** The messages that one client has received. */
class Received {
  readonly #times: Uint16Array;
  #last = -1;
  #distinct = 0;
  doubled = 0;
  disordered = 0;

  constructor(messages: number) {
    this.#times = new Uint16Array(messages);
  }

  get distinct(): number {
    return this.#distinct;
  }

  add(text: string): void {
    const number = Number(text);
    if ((this.#times[number] ?? 0) > 0) this.doubled++;
    else this.#distinct++;
    this.#times[number] = (this.#times[number] ?? 0) + 1;
    if (number < this.#last) this.disordered++;
    this.#last = Math.max(this.#last, number);
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The maximum time until all clients are connected at the beginning, in milliseconds. */
const CONNECT_PATIENCE = 120_000;

/** Runs a plan with a contender, and counts. */
export async function jitter(contender: Contender, plan: JitterPlan): Promise<Delivery> {
  const proxy = new JitterProxy(plan, contender.port);
  await proxy.listen();
  const all = Array.from({ length: plan.clients }, () => new Received(plan.messages));
  const ends: (() => void)[] = [];
  for (const [i, received] of all.entries()) {
    const url = `ws://127.0.0.1:${proxy.port}/?client=${i}`;
    ends.push(contender.connect(url, (text) => received.add(text)));
    if (i % 50 === 49) await sleep(20);
  }
  await waitUntil(() => contender.connected() >= plan.clients, CONNECT_PATIENCE, "not all connect");
  proxy.begin();
  const start = performance.now();
  for (let i = 0; i < plan.messages; i++) {
    contender.publish(`${i}`);
    await sleep(Math.max(start + (i + 1) * plan.interval - performance.now(), 0));
  }
  proxy.isCalm = true;
  const expected = plan.clients * plan.messages;
  const delivered = (): number => sum(all, ({ distinct }) => distinct);
  await waitUntil(() => delivered() === expected, plan.patience);
  const delivery = {
    expected,
    delivered: delivered(),
    doubled: sum(all, ({ doubled }) => doubled),
    disordered: sum(all, ({ disordered }) => disordered),
    resets: proxy.resets,
  };
  for (const end of ends) end();
  await contender.close();
  await proxy.close();
  return delivery;
}

function sum<T>(all: readonly T[], of: (it: T) => number): number {
  return all.reduce((total, it) => total + of(it), 0);
}

async function waitUntil(isSo: () => boolean, ms: number, otherwise?: string): Promise<void> {
  const end = performance.now() + ms;
  while (!isSo() && performance.now() < end) await sleep(10);
  if (!isSo() && otherwise !== undefined) throw new Error(otherwise);
}
