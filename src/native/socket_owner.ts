import { platform } from "../web_socket/platform.ts";

/** The runtimes whose own `WebSocket` is known: its options, and what it reports. */
export type SocketOwner = "deno" | "node" | "bun" | "react-native" | "browser";

interface Globals {
  WebSocket?: typeof globalThis.WebSocket;
  navigator?: { product?: string };
}

type Constructor = typeof globalThis.WebSocket;

/** The stack settings of V8; other engines have fewer. */
interface StackSettings {
  readonly prepareStackTrace?: unknown;
  readonly stackTraceLimit?: unknown;
}

/**
 * Returns the runtime that implements the global `WebSocket`. Other globals don't say: jsdom, happy-dom, Electron's
 * renderer and workerd look like Node, and a mock or a polyfill may have replaced it.
 *
 * @returns The runtime; `null` where nothing is known of the class.
 */
export function socketOwner(): SocketOwner | null {
  const { WebSocket, navigator } = globalThis as Globals;
  if (typeof WebSocket !== "function") return null;
  // The standard's constructor has one required parameter, React Native's has three.
  if (navigator?.product === "ReactNative") return WebSocket.length > 2 ? "react-native" : null;
  const where = platform();
  const code = Function.prototype.toString.call(WebSocket);
  // The text of a proxy has no name, and a bound function has no prototype.
  const isNative = code.startsWith("function WebSocket() {") && code.includes("[native code]");
  if (isNative && Object.hasOwn(WebSocket, "prototype")) return where === "bun" ? where : "browser";
  return code.startsWith("class") && where !== "browser" && isBuiltIn(WebSocket) ? where : null;
}

/** The last checked constructor, and the result. */
let seen: [socket: Constructor, isBuiltIn: boolean] | undefined;

/** Whether a class is the runtime's own code. Node's and Deno's are written in JavaScript. */
function isBuiltIn(socket: Constructor): boolean {
  if (seen?.[0] !== socket) {
    seen = [socket, extendsTarget(socket) && withPlainStacks(() => throwsInside(socket))];
  }
  return seen[1];
}

/** Whether a class extends `EventTarget` directly; a mock may extend the genuine class. */
function extendsTarget(socket: Constructor): boolean {
  return Object.getPrototypeOf(Object.getPrototypeOf(socket)) === Function.prototype;
}

/** Calls a function with the engine's own stack settings, because a program may have changed them. */
function withPlainStacks<T>(read: () => T): T {
  const { prepareStackTrace, stackTraceLimit } = Error as StackSettings;
  const set = (settings: StackSettings): void => {
    for (const [name, value] of Object.entries(settings)) Reflect.set(Error, name, value);
  };
  set({ prepareStackTrace: undefined, stackTraceLimit: 1 });
  try {
    return read();
  } finally {
    set({ prepareStackTrace, stackTraceLimit });
  }
}

/** Whether the runtime's own code rejects an object that is none of its sockets. */
function throwsInside(socket: Constructor): boolean {
  try {
    Object.getOwnPropertyDescriptor(socket.prototype, "url")?.get?.call({});
  } catch (error) {
    const [, frame = ""] = String((error as Partial<Error>).stack).split("\n");
    return /\((?:node:internal|ext:)/.test(frame);
  }
  return false;
}
