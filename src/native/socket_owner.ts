import { platform } from "../web_socket/platform.ts";

/** Those whose own `WebSocket` is known: what it takes, and what it reports. */
export type SocketOwner = "deno" | "node" | "bun" | "react-native" | "browser";

interface Globals {
  WebSocket?: typeof globalThis.WebSocket;
  navigator?: { product?: string };
}

type Constructor = typeof globalThis.WebSocket;

/** What V8 has of stacks; other engines have less. */
interface StackSettings {
  readonly prepareStackTrace?: unknown;
  readonly stackTraceLimit?: unknown;
}

/**
 * Whose the global `WebSocket` is. What else the program sees doesn't tell: jsdom, happy-dom, Electron's
 * renderer and workerd look like Node, and a mock or a polyfill may have been there first.
 *
 * @returns `null` where nothing is known of it.
 */
export function socketOwner(): SocketOwner | null {
  const { WebSocket, navigator } = globalThis as Globals;
  if (typeof WebSocket !== "function") return null;
  // The standard's constructor has one parameter that must be there, React Native's has three.
  if (navigator?.product === "ReactNative") return WebSocket.length > 2 ? "react-native" : null;
  const where = platform();
  const code = Function.prototype.toString.call(WebSocket);
  // A mock that is a proxy has no name here, a bound function has no prototype.
  const isNative = code.startsWith("function WebSocket() {") && code.includes("[native code]");
  if (isNative && Object.hasOwn(WebSocket, "prototype")) return where === "bun" ? where : "browser";
  return code.startsWith("class") && where !== "browser" && isBuiltIn(WebSocket) ? where : null;
}

/** The constructor that was looked at last, and what it is. */
let seen: [socket: Constructor, isBuiltIn: boolean] | undefined;

/** Whether the runtime itself has the code of a class: Node's and Deno's are written in JavaScript. */
function isBuiltIn(socket: Constructor): boolean {
  if (seen?.[0] !== socket) {
    seen = [socket, extendsTarget(socket) && withPlainStacks(() => throwsInside(socket))];
  }
  return seen[1];
}

/** Whether it extends `EventTarget` itself: what extends the genuine one is a mock. */
function extendsTarget(socket: Constructor): boolean {
  return Object.getPrototypeOf(Object.getPrototypeOf(socket)) === Function.prototype;
}

/** Calls a function with stacks as the engine writes them: a program may have changed their text and their length. */
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

/** Whether it is the runtime's code that refuses an object which is none of its sockets. */
function throwsInside(socket: Constructor): boolean {
  try {
    Object.getOwnPropertyDescriptor(socket.prototype, "url")?.get?.call({});
  } catch (error) {
    const [, frame = ""] = String((error as Partial<Error>).stack).split("\n");
    return /\((?:node:internal|ext:)/.test(frame);
  }
  return false;
}
