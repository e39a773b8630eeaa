/** What the tests of the faces share: a server with a behaviour for each path, and objects' events in their order. */

import { deadline } from "@std/async";
import { type ServerWebSocketChannel, WebSocketServer } from "../../src/server/mod.ts";
import type { CloseInfo } from "../../src/web_socket/close_info.ts";
import type { WebSocketFace, WebSocketFaceClass } from "../../src/faces/web_socket.ts";
import { turn } from "../support/turns.ts";
import { afterTurn } from "../../src/stream_channel/loop_guard.ts";

/** The longest that a case may take, in milliseconds: natives may never fire what is waited for. */
const PATIENCE = 10_000;

/** What a case is about. */
export interface Subject {
  readonly WebSocket: WebSocketFaceClass;
  /** A server's URL without a path: `ws://127.0.0.1:PORT`. */
  readonly url: string;
  /** The channels of the server, in the order in which they came. */
  readonly channels: ServerWebSocketChannel[];
  /** How the server's channels ended, in the order in which they did. */
  readonly endings: CloseInfo[];
}

/** A case of the standard. */
export interface Case {
  /** The section, by its heading. */
  readonly section: string;
  readonly name: string;
  run(subject: Subject): Promise<void> | void;
}

/** The text of a number of bytes. */
export const LONG: string = "x".repeat(100_000);

async function serve(channel: ServerWebSocketChannel): Promise<void> {
  const { pathname, searchParams } = channel.request.url;
  const { sink, stream } = channel;
  const code = searchParams.get("code");
  const close = (): unknown =>
    code === null ? sink.close() : sink.close(Number(code), searchParams.get("reason") ?? "");
  switch (pathname) {
    case "/close":
      return void close();
    case "/burst":
      for (const text of ["one", "two", "three"]) sink.add(text);
      return void close();
    case "/bytes":
      sink.add(Uint8Array.of(1, 2, 3));
      sink.add(new Uint8Array(70_000).fill(7));
      sink.add("text");
      break;
    case "/lose":
      await stream.next();
      return channel.terminate();
    case "/close-after":
      await stream.next();
      return void close();
    case "/deaf":
      // It reads nothing until it is told to.
      await channel.closing;
      return;
  }
  stream.listen((message) => sink.add(message));
  await channel.closed;
}

/** Runs a case against a server of its own. */
export async function withSubject(
  WebSocket: WebSocketFaceClass,
  run: (subject: Subject) => Promise<void> | void,
): Promise<void> {
  const channels: ServerWebSocketChannel[] = [];
  const endings: CloseInfo[] = [];
  const server = await WebSocketServer.bind({
    hostname: "127.0.0.1",
    port: 0,
    compression: true,
    closeTimeout: 1_000,
    protocols: ({ url, protocols }) =>
      url.pathname === "/no-protocol" ? null : protocols[0] ?? null,
    verify: ({ url }) => url.pathname !== "/refused",
    handler: (channel) => {
      channels.push(channel);
      channel.closed.then((info) => endings.push(info));
      return serve(channel);
    },
    onError: () => {},
  });
  try {
    await deadline(
      Promise.resolve(run({ WebSocket, url: server.url.replace(/\/$/, ""), channels, endings })),
      PATIENCE,
    );
  } finally {
    for (const channel of channels) channel.terminate();
    await server.close({ drainTimeout: 0 });
  }
}

/** The next event of a type. */
export function next(socket: EventTarget, type: string): Promise<Event> {
  return new Promise((resolve) => socket.addEventListener(type, resolve, { once: true }));
}

/** Waits until a socket is open. */
export async function opened(socket: WebSocketFace): Promise<WebSocketFace> {
  if (socket.readyState === 0) {
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve(), { once: true });
      socket.addEventListener("close", () => reject(new Error("It didn't open")), { once: true });
    });
  }
  return socket;
}

/** What a close event says. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** Waits until a socket is closed. */
export async function closed(socket: WebSocketFace): Promise<Closed> {
  const { code, reason, wasClean } = await next(socket, "close") as Event & Closed;
  return { code, reason, wasClean };
}

/** The next message's data. */
export async function received(socket: WebSocketFace): Promise<unknown> {
  return (await next(socket, "message") as MessageEvent).data;
}

/** All events of a socket, as they come. */
export function journal(socket: WebSocketFace): string[] {
  const log: string[] = [];
  for (const type of ["open", "message", "error", "close"]) {
    socket.addEventListener(type, (event) => {
      const { data } = event as MessageEvent;
      log.push(`${type}${typeof data === "string" ? ` ${data}` : ""} in ${socket.readyState}`);
    });
  }
  return log;
}

/** A later task. */
export function task(): Promise<void> {
  return new Promise((resolve) => void afterTurn(resolve));
}

/** The name of the DOMException that a call throws; `null` when it throws none. */
export function thrownBy(call: () => unknown): string | null {
  try {
    call();
    return null;
  } catch (error) {
    const isDom = Object.prototype.toString.call(error) === "[object DOMException]";
    return isDom ? (error as DOMException).name : `plain ${(error as Error).name}`;
  }
}

/** How the server's channel ended. */
export async function ending({ endings }: Subject): Promise<CloseInfo> {
  for (;;) {
    const [first] = endings;
    if (first !== undefined) return first;
    await turn();
  }
}
