/**
 * Both halves of resumption over connections that tests create: the client's line with minimal code around it, and
 * the server's sessions without a server.
 */

import type { StreamSubscription } from "../../src/stream_channel/channel_stream.ts";
import { Deferred } from "../../src/stream_channel/errors.ts";
import { BARE, type Capabilities } from "../../src/web_socket/capabilities.ts";
import type { CloseInfo } from "../../src/web_socket/close_info.ts";
import type { ConnectionHandler } from "../../src/server/handler.ts";
import { Channel } from "../../src/web_socket/channel.ts";
import type { Clock } from "../../src/web_socket/clock.ts";
import { type ServiceHost, services } from "../../src/web_socket/connection_service.ts";
import type { Message, WebSocketChannel } from "../../src/web_socket/web_socket_channel.ts";
import type { LineOpening } from "../../src/reconnecting/line.ts";
import { ResumeLine } from "../../src/reconnecting/resume_line.ts";
import { Sessions, type SessionsOptions } from "../../src/reconnecting/sessions.ts";
import { ManualClock, webSocketChannelPair } from "../../src/testing/mod.ts";
import { microtasks } from "../support/events.ts";
import { turn } from "../support/turns.ts";

/** The minimum that a reconnecting channel does for its line. */
export class ResumeClient {
  readonly line: ResumeLine;
  /** The messages that the user gets, in order. */
  readonly received: Message[] = [];
  /** Called each time messages may pass. */
  readonly openings: LineOpening[] = [];
  readonly faults: unknown[] = [];
  /** How many errors would also end every other connection. */
  finalFaults = 0;
  /** Called inside `onOpen`. */
  onOpening: (opening: LineOpening) => void = () => {};
  drained = 0;
  /** Whether messages may pass. */
  isOpen = false;
  #connection: WebSocketChannel | null = null;

  constructor(clock: Clock, maxBuffer: number = 1024 * 1024) {
    this.line = new ResumeLine({
      onOpen: (opening) => {
        this.isOpen = true;
        this.openings.push(opening);
        this.onOpening(opening);
      },
      onDrained: () => void this.drained++,
      onFault: (error, isFinal) => {
        this.faults.push(error);
        if (isFinal) this.finalFaults++;
        this.#connection?.terminate();
      },
    }, { maxBuffer, closeTimeout: 5000, clock });
  }

  get isConnected(): boolean {
    return this.#connection !== null;
  }

  /** Continues on an open connection. */
  connect(connection: WebSocketChannel): void {
    this.#connection = connection;
    this.isOpen = false;
    connection.stream.listen((message) => {
      if (this.#connection !== connection) return;
      const own = this.line.receive(message);
      if (own !== null) this.received.push(own);
    });
    connection.closed.then((info) => {
      if (this.#connection !== connection) return;
      this.#connection = null;
      this.isOpen = false;
      this.line.lose(info);
    });
    this.line.open(connection);
  }

  /** Drops the connection without notifying the other side. */
  abandon(): void {
    const connection = this.#connection;
    this.#connection = null;
    if (connection === null) return;
    this.isOpen = false;
    this.line.lose({ code: 1006, reason: "", wasClean: false, initiator: "local" });
  }
}

/** The errors that the handler's server gets. */
export interface ServedLog {
  readonly errors: unknown[];
  readonly channels: Set<WebSocketChannel>;
}

/** Serves a connection like a server. */
export async function serveSession(
  sessions: Sessions,
  handler: ConnectionHandler,
  connection: WebSocketChannel,
  { errors, channels, isClosing = false, protocol = null }: Partial<ServedLog> & {
    isClosing?: boolean | undefined;
    protocol?: string | null;
  } = {},
): Promise<void> {
  const service = services.get(sessions.handler(handler));
  const host: ServiceHost = {
    protocol,
    isClosing,
    create: (core) => new Channel(core) as unknown as WebSocketChannel,
    handle: async (its, channel) => {
      try {
        await its(channel as never);
      } catch (error) {
        errors?.push(error);
        Channel.coreOf(channel)?.closeOnError(error, 1011);
      }
    },
    onChannel: (channel) => void channels?.add(channel),
    onChannelClosed: (channel) => void channels?.delete(channel),
  };
  try {
    await service?.serve(connection, host);
  } catch (error) {
    errors?.push(error);
    connection.terminate();
  }
}

/** A minimal connection, for tests with very many: {@linkcode say} sends a message of the peer. */
export class LightConnection {
  readonly protocol = "resume.v1";
  readonly extensions = "";
  readonly url = "";
  readonly capabilities: Capabilities = BARE;
  state = "open";
  readonly said: unknown[] = [];
  #listener: (message: Message) => void = () => {};
  readonly #closed = new Deferred<CloseInfo>();
  readonly closed: Promise<CloseInfo> = this.#closed.promise;
  readonly stream = {
    listen: (listener: (message: Message) => void): StreamSubscription => {
      this.#listener = listener;
      return {
        isPaused: false,
        pause() {},
        resume() {},
        cancel: () => void (this.#listener = () => {}),
      };
    },
  };
  readonly sink = {
    hasRoom: true,
    ready: Promise.resolve() as Promise<void>,
    bufferedAmount: 0,
    add: (message: unknown): boolean => this.said.push(message) > 0,
    close: (): Promise<void> => {
      this.terminate();
      return Promise.resolve();
    },
  };

  say(...messages: Message[]): void {
    for (const message of messages) this.#listener(message);
  }

  terminate(): void {
    this.state = "closed";
    this.#closed.resolve({ code: 1006, reason: "", wasClean: false, initiator: "local" });
  }
}

/** Sessions in memory, with a clock that stands still. */
export interface Room {
  readonly clock: ManualClock;
  readonly sessions: Sessions;
  readonly channels: WebSocketChannel[];
  readonly errors: unknown[];
  open(
    handler?: (channel: WebSocketChannel) => void,
  ): { client: WebSocketChannel; server: WebSocketChannel };
}

/** A {@linkcode Room}; `isClosing`: its server closes. */
export function room(
  { isClosing, ...options }: SessionsOptions & { isClosing?: boolean } = {},
): Room {
  const clock = new ManualClock();
  const sessions = new Sessions({ clock, ...options });
  const channels: WebSocketChannel[] = [];
  const errors: unknown[] = [];
  return {
    clock,
    sessions,
    channels,
    errors,
    open: (handler = () => {}) => {
      const pair = webSocketChannelPair({ protocol: "resume.v1", clock });
      void serveSession(
        sessions,
        (channel) => {
          channels.push(channel as WebSocketChannel);
          handler(channel as WebSocketChannel);
        },
        pair.server,
        { errors, isClosing },
      );
      return pair;
    },
  };
}

/** Sends a message, and lets it arrive. */
export async function say(channel: WebSocketChannel, ...messages: string[]): Promise<void> {
  for (const message of messages) channel.sink.add(message);
  await microtasks(40);
}

/** Ends channels, without waiting for their peers. */
export async function endAll(channels: readonly WebSocketChannel[]): Promise<void> {
  for (const channel of channels) channel.terminate();
  // Connections in memory may have work left for later turns.
  for (let i = 0; i < 3; i++) await turn();
}

/** A hello of a client without a session. */
export const HELLO = '!{"attempt":1,"received":0,"window":1000000}';

/** The session that a server's hello names. */
export async function idOf(channel: WebSocketChannel): Promise<string> {
  const { value } = await channel.stream.next();
  return JSON.parse((value as string).slice(1)).session;
}
