/** Runs clients of Python's websockets in a process, and gives them the interface of `WebSocket`. */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import type { WebSocketEventLike, WebSocketLike } from "../../src/native/web_socket_like.ts";
import { findCommand } from "../support/processes.ts";
import { fromHex, hex } from "../support/bytes.ts";

/** The command of a Python with websockets installed; `null` if there is none. */
export const python: readonly string[] | null = findCommand(
  [["/usr/bin/python3"], ["python3"]],
  ["-c", "import websockets"],
);

/** The URL and the options of a connection. */
export interface PythonConnect {
  readonly url: string;
  readonly protocols: readonly string[];
  readonly headers: readonly (readonly [string, string])[];
  readonly compression: boolean;
}

/** A message from the process. */
interface Told {
  readonly client: number;
  readonly event: "open" | "message" | "sent" | "close";
  readonly protocol?: string;
  readonly extensions?: string;
  readonly text?: string;
  readonly hex?: string;
  readonly code?: number;
  readonly reason?: string;
  readonly error?: string;
}

/** The process. */
export class PythonClients {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #sockets: PythonSocket[] = [];
  #text = "";
  #errors = "";

  /** Starts the process. */
  constructor() {
    const [program = "", ...args] = python ?? [];
    const script = `${process.cwd()}/tests/interop/peers/python_driver.py`;
    const child = this.#child = spawn(program, [...args, script]);
    child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#errors += text);
    child.stdin?.on("error", () => {});
    this.#ended = new Promise((resolve) => child.once("close", () => resolve()));
  }

  /** Starts to connect. */
  connect(options: PythonConnect): PythonSocket {
    const client = this.#sockets.length;
    const socket = new PythonSocket((command) => {
      this.#child.stdin?.write(`${JSON.stringify({ client, ...command })}\n`);
    });
    this.#sockets.push(socket);
    socket.say({ do: "connect", ...options });
    return socket;
  }

  /** Ends the process; its remaining error output is an error. */
  async close(): Promise<void> {
    this.#child.stdin?.end();
    this.#child.kill("SIGKILL");
    await this.#ended;
    if (this.#errors.includes("Traceback")) throw new Error(this.#errors);
  }

  #read(text: string): void {
    const lines = (this.#text + text).split("\n");
    this.#text = lines.pop() ?? "";
    for (const line of lines) {
      const told: Told = JSON.parse(line);
      this.#sockets[told.client]?.onTold(told);
    }
  }
}

type Listener = (event: WebSocketEventLike) => void;

/** One client. */
export class PythonSocket implements WebSocketLike {
  readyState = 0;
  protocol = "";
  extensions = "";
  bufferedAmount = 0;
  binaryType = "arraybuffer";
  readonly say: (command: object) => void;
  readonly #listeners: Map<string, Listener[]> = new Map<string, Listener[]>();
  /** The sizes of messages that Python has not sent yet. */
  readonly #sizes: number[] = [];

  /** @param say Sends a command to the process. */
  constructor(say: (command: object) => void) {
    this.say = say;
  }

  send(data: string | ArrayBuffer | ArrayBufferView): void {
    const size = typeof data === "string" ? data.length : data.byteLength;
    this.#sizes.push(size);
    this.bufferedAmount += size;
    if (typeof data === "string") this.say({ do: "text", text: data });
    else this.say({ do: "binary", hex: hex(data) });
  }

  close(code = 1000, reason = ""): void {
    if (this.readyState >= 2) return;
    const isOpen = this.readyState === 1;
    this.readyState = 2;
    this.say(isOpen ? { do: "close", code, reason } : { do: "terminate" });
  }

  terminate(): void {
    if (this.readyState === 3) return;
    this.readyState = 2;
    this.say({ do: "terminate" });
  }

  addEventListener(type: string, listener: Listener): void {
    const listeners = this.#listeners.get(type);
    if (listeners === undefined) this.#listeners.set(type, [listener]);
    else listeners.push(listener);
  }

  onTold(
    { event, protocol = "", extensions = "", text, hex: binary, code = 1006, reason = "", error }:
      Told,
  ): void {
    if (event === "open") {
      if (this.readyState !== 0) return this.say({ do: "terminate" });
      this.readyState = 1;
      this.protocol = protocol;
      this.extensions = extensions;
      this.#tell("open", {});
    } else if (event === "message") {
      this.#tell("message", { data: text ?? fromHex(binary ?? "").buffer });
    } else if (event === "sent") this.bufferedAmount -= this.#sizes.shift() ?? 0;
    else {
      this.readyState = 3;
      if (error !== undefined) this.#tell("error", { message: error });
      this.#tell("close", { code, reason, wasClean: code !== 1006 });
    }
  }

  #tell(type: string, event: WebSocketEventLike): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event);
  }
}
