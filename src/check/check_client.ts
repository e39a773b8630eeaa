import { type OptionKinds, readOptions } from "../stream_channel/options.ts";
import { utf8 } from "./bytes.ts";
import type { Case } from "./case.ts";
import { CLIENT_CASES } from "./cases/client_cases.ts";
import { acceptOf, type Arrival, ClientSubject, readRequest } from "./client_subject.ts";
import { Silence } from "./fault.ts";
import { close, encode, text } from "./frames.ts";
import { fieldOf, hasToken } from "./http.ts";
import { CHECK_KINDS, type CheckClientOptions, type Report } from "./report.ts";
import { chooseCases, DEFAULT_TIMEOUT, runAll } from "./run.ts";
import { netModule, type RawServer, type RawSocket, Wire } from "./wire.ts";

const KINDS: OptionKinds<CheckClientOptions> = {
  ...CHECK_KINDS,
  port: "port",
  hostname: "string",
  tls: "object",
  onListen: "function",
  connect: "function",
  idleTimeout: "period",
};

const DEFAULT_IDLE_TIMEOUT = 30_000;

/** The connections of one case, as they arrive. */
class Queue {
  readonly #timeout: number | null;
  readonly #waiting: Arrival[] = [];
  #wake: (() => void) | null = null;
  /** How many connections are still to arrive. */
  #wanted: number;
  isDone = false;

  /**
   * @param wanted How many connections the case takes.
   * @param timeout How long to wait for a connection; `null`: as long as the run lasts.
   */
  constructor(wanted: number, timeout: number | null) {
    this.#wanted = wanted;
    this.#timeout = timeout;
  }

  /** Whether it takes a connection. */
  get isOpen(): boolean {
    return this.#wanted > 0 && !this.isDone;
  }

  push(arrival: Arrival): void {
    this.#wanted--;
    this.#waiting.push(arrival);
    this.#wake?.();
  }

  /** Ends the wait. */
  stop(): void {
    this.isDone = true;
    this.#wake?.();
    for (const { wire } of this.#waiting.splice(0)) wire.destroy();
  }

  /** Waits for a connection that isn't taken yet. */
  async arrived(): Promise<void> {
    if (this.#waiting.length > 0 || this.isDone) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (this.#timeout !== null) timer = setTimeout(resolve, this.#timeout);
    });
    clearTimeout(timer);
    this.#wake = null;
  }

  async next(): Promise<Arrival> {
    await this.arrived();
    const arrival = this.#waiting.shift();
    if (arrival === undefined) throw new Silence();
    return arrival;
  }
}

/** Listens, and hands each connection to the case that it is for. */
class Desk {
  readonly #server: RawServer;
  readonly #queues: readonly Queue[];
  readonly #list: string;
  readonly #timeout: number;
  readonly #onArrival: () => void;
  readonly #sockets = new Set<RawSocket>();
  readonly keys: string[] = [];

  constructor(
    cases: readonly Case<ClientSubject>[],
    queues: readonly Queue[],
    { timeout = DEFAULT_TIMEOUT, tls }: CheckClientOptions,
    onArrival: () => void,
  ) {
    this.#list = JSON.stringify(
      cases.flatMap(({ id, protocols, connections }, i) =>
        Array.from({ length: connections }, () => ({ path: `/case/${i}`, id, protocols }))
      ),
    );
    this.#queues = queues;
    this.#timeout = timeout;
    this.#onArrival = onArrival;
    const module = netModule(tls === undefined ? "net" : "tls");
    this.#server = module.createServer({ ...tls, allowHalfOpen: true }, (socket) => {
      void this.#receive(new Wire(socket, timeout));
    });
    this.#server.on("tlsClientError", (_error, socket) => socket.destroy());
    // Below TLS, too: a client may never begin its handshake.
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  /** Fulfils with the port. */
  async listen(port: number, hostname: string): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.on("error", reject);
      this.#server.listen(port, hostname, resolve);
    });
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(resolve));
  }

  async #receive(wire: Wire): Promise<void> {
    const head = await readRequest(wire).catch(() => null);
    if (head === null) return wire.destroy();
    const path = head.line.split(" ")[1] ?? "";
    if (/^\/cases(\?|$)/.test(path)) {
      return this.#tellCases(wire, fieldOf(head, "sec-websocket-key") ?? "");
    }
    const [, index] = /^\/case\/(\d+)/.exec(path) ?? [];
    // A browser that shows the URL, or a health check, takes no case.
    const isAnyCase = index === undefined && hasToken(head, "upgrade", "websocket");
    const queue = isAnyCase
      ? this.#queues.find(({ isOpen }) => isOpen)
      : this.#queues[Number(index)];
    if (!queue?.isOpen) {
      wire.send(utf8("HTTP/1.1 410 Gone\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
      return wire.end();
    }
    queue.push({ wire, head });
    this.#onArrival();
    this.keys.push(fieldOf(head, "sec-websocket-key") ?? "");
  }

  /** Sends the list of cases as one text, then a Close. */
  #tellCases(wire: Wire, key: string): void {
    wire.patience = this.#timeout;
    wire.send(utf8(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${
        acceptOf(key)
      }\r\n\r\n`,
    ));
    wire.send(encode(text(this.#list), false));
    wire.send(encode(close(1000), false));
    wire.take(6).catch(() => {}).then(() => wire.end());
  }
}

/**
 * Checks a client: listens at a port, and runs a case of RFC 6455 or RFC 7692 on each connection of the client.
 *
 * The client must send each message back unchanged, until the connection ends. With the option `connect`, this function
 * calls the client for each connection. Otherwise the client connects by itself, first to `/cases`: there it gets one
 * text, a JSON list of `{ path, id, protocols }`. Then it connects to each `path`, with its subprotocols, in any order.
 * If a path is in the list twice, the client connects to it twice. An upgrade request for any other path gets the next
 * pending case.
 *
 * @param given See {@linkcode CheckClientOptions}.
 * @returns A promise of the report. A failed case is a part of the report; it does not reject the promise.
 * @throws {TypeError} When an option is unknown or of the wrong type.
 * @throws {RangeError} When a name in `cases` matches no case, or a number is out of its range.
 * @throws {Error} When the function can't listen at the port.
 *
 * @example
 * ```ts
 * import { checkClient } from "@web-socket/channel/check";
 * import { NetWebSocketChannel } from "@web-socket/channel/net";
 *
 * const report = await checkClient({
 *   cases: ["ping"],
 *   connect: async (url) => {
 *     const channel = NetWebSocketChannel.connect(url);
 *     for await (const message of channel.stream) channel.sink.add(message);
 *   },
 * });
 * console.log(report.counts.failed); // 0
 * ```
 */
export async function checkClient(given: CheckClientOptions = {}): Promise<Report> {
  const options = readOptions(given, KINDS);
  const { port = 0, hostname = "127.0.0.1", connect, signal, timeout = DEFAULT_TIMEOUT } = options;
  const { idleTimeout = DEFAULT_IDLE_TIMEOUT } = options;
  const cases = chooseCases(CLIENT_CASES, options.cases);
  const wait = connect === undefined ? null : timeout;
  const queues = cases.map(({ connections }) => new Queue(connections, wait));
  const over = new AbortController();
  const stop = (): void => {
    over.abort();
    for (const queue of queues) queue.stop();
  };
  let isOver = false;
  let idle: ReturnType<typeof setTimeout> | undefined;
  const postpone = (): void => {
    clearTimeout(idle);
    if (connect === undefined && !isOver) idle = setTimeout(stop, idleTimeout);
  };
  const desk = new Desk(cases, queues, options, postpone);
  const scheme = options.tls === undefined ? "ws" : "wss";
  const url = `${scheme}://${hostname.includes(":") ? `[${hostname}]` : hostname}:${await desk
    .listen(
      port,
      hostname,
    )}`;
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop);
  let failure: { readonly error: unknown } | null = null;
  try {
    postpone();
    Promise.resolve(options.onListen?.(url)).catch((error) => {
      failure = { error };
      stop();
    });
    const report = await runAll<ClientSubject>({
      side: "client",
      subject: options.subject ?? "client",
      cases,
      // A client that connects by itself chooses how many at a time.
      options: {
        ...options,
        signal: over.signal,
        ...connect === undefined ? { concurrency: Infinity } : {},
      },
      async prepare(it, note) {
        const index = cases.indexOf(it);
        const queue = queues[index] as Queue;
        const ended = new AbortController();
        const place = `${url}/case/${index}`;
        const wanted = { id: it.id, protocols: it.protocols, signal: ended.signal };
        const next = (): Promise<Arrival> => {
          if (connect !== undefined) call(connect, place, wanted);
          return queue.next();
        };
        if (connect === undefined) await queue.arrived();
        return new ClientSubject({ next, keys: desk.keys, url: place }, note, () => {
          queue.stop();
          ended.abort();
          postpone();
        });
      },
    });
    if (failure !== null) throw (failure as { readonly error: unknown }).error;
    return report;
  } finally {
    isOver = true;
    clearTimeout(idle);
    signal?.removeEventListener("abort", stop);
    await desk.close();
  }
}

/** Many connections must fail: what the client says of it is its own affair. */
function call(
  connect: NonNullable<CheckClientOptions["connect"]>,
  ...args: Parameters<NonNullable<CheckClientOptions["connect"]>>
): void {
  try {
    Promise.resolve(connect(...args)).catch(() => {});
  } catch {
    // As well.
  }
}
