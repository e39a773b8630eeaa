/** Helpers for tests of the faces: cases with a server each, and an object's events in order. */

import { deadline } from "@std/async";
import type { CloseInfo } from "../../src/web_socket/close_info.ts";
import type { WebSocketFace, WebSocketFaceClass } from "../../src/faces/web_socket.ts";
import { afterTurn } from "../../src/stream_channel/loop_guard.ts";
import { startSubject, type SubjectServer } from "./subject_server.ts";

/** The timeout of a case, in milliseconds: a native socket may never fire the expected event. */
const PATIENCE = 10_000;

/** The class and the server that a case tests. */
export interface Subject extends Omit<SubjectServer, "close"> {
  readonly WebSocket: WebSocketFaceClass;
}

/** A case of the standard. */
export interface Case {
  /** The section, by its heading. */
  readonly section: string;
  readonly name: string;
  run(subject: Subject): Promise<void> | void;
}

/** A text of 100,000 bytes. */
export const LONG: string = "x".repeat(100_000);

/** Runs a case against its own server. */
export async function withSubject(
  WebSocket: WebSocketFaceClass,
  run: (subject: Subject) => Promise<void> | void,
): Promise<void> {
  const server = await startSubject();
  try {
    await deadline(Promise.resolve(run({ ...server, WebSocket })), PATIENCE);
  } finally {
    await server.close();
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

/** The data of a close event. */
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

/** All events of a socket, in order. */
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

/** Fulfils in a later task. */
export function task(): Promise<void> {
  return new Promise((resolve) => void afterTurn(resolve));
}

/** The name of the DOMException that a call throws; `null` if it throws none. */
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
export async function ending(subject: Subject): Promise<CloseInfo> {
  return await subject.ending();
}
