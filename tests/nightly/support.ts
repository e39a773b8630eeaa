/** Shared code of the nightly tests: a server in a process of its own, and the system's list of its connections. */

import { delay } from "@std/async";
import { NEWEST_NODE, runtime } from "../../tasks/tools.ts";
import { bundled, type Program, RUNTIMES, startProgram } from "../server/programs.ts";

const PROGRAM = "tests/server/programs/many.ts";

/** The figures that the server's process reports. */
export interface Figures {
  readonly open: number;
  readonly connecting: number;
  readonly silent: number;
  readonly dropped: number;
  /** How many channels have ended. */
  readonly ended: number;
  /** How many files it has open, connections among them. */
  readonly files: number;
  /** Its memory, in KiB. */
  readonly rss: number;
}

/** A server in a process of its own. */
export interface Server {
  readonly url: string;
  readonly port: number;
  figures(): Promise<Figures>;
  /** Fulfils with the figures once they satisfy a condition. */
  until(isSo: (figures: Figures) => boolean, what: string): Promise<Figures>;
  stop(): Promise<unknown>;
}

/** The command that runs the server; `null` if the runtime isn't installed. */
export async function serverRuntimes(): Promise<typeof RUNTIMES> {
  const newest = await runtime(`Node ${NEWEST_NODE}`).catch(() => null);
  return [...RUNTIMES, [`Node ${NEWEST_NODE}`, newest?.command ?? null]];
}

/** The maximum time that the tests wait for the server, in milliseconds. */
const PATIENCE = 60_000;

/** Starts a server. */
export async function startServer(
  name: string,
  command: readonly string[],
  options: object = {},
): Promise<Server> {
  const script = name === "Deno" ? PROGRAM : await bundled(PROGRAM);
  const program: Program = await startProgram([...command, script, JSON.stringify(options)]);
  let asked = 0;
  const figures = async (): Promise<Figures> => {
    program.signal("SIGUSR2");
    const line = await program.printed("figures ", ++asked);
    return JSON.parse(line.slice("figures ".length));
  };
  return {
    url: program.url,
    port: Number(new URL(program.url).port),
    figures,
    async until(isSo, what) {
      const start = performance.now();
      for (;;) {
        const found = await figures();
        if (isSo(found)) return found;
        if (performance.now() - start > PATIENCE) {
          throw new Error(`Not so after a minute: ${what}: ${JSON.stringify(found)}`);
        }
        await delay(100);
      }
    },
    stop: () => program.stop("SIGKILL"),
  };
}

/** The states of the server's TCP connections, and how many are in each: RFC 9293's names, as /proc/net/tcp has them. */
export function tcpStates(port: number): Record<string, number> {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  // The system may list a socket twice when others open and close meanwhile.
  const states = new Map<string, string>();
  for (const line of Deno.readTextFileSync("/proc/net/tcp").split("\n")) {
    const [, address, remote = "", state = ""] = line.trim().split(/\s+/);
    if (address === local) states.set(remote, state);
  }
  const counts: Record<string, number> = {};
  for (const state of states.values()) {
    const name = STATES[Number.parseInt(state, 16)] ?? state;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

const STATES: readonly string[] = [
  "",
  "ESTABLISHED",
  "SYN-SENT",
  "SYN-RECEIVED",
  "FIN-WAIT-1",
  "FIN-WAIT-2",
  "TIME-WAIT",
  "CLOSED",
  "CLOSE-WAIT",
  "LAST-ACK",
  "LISTEN",
  "CLOSING",
];

/** An upgrade request. */
export function requestFor(path = "/"): Uint8Array {
  const lines = [
    `GET ${path} HTTP/1.1`,
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
  ];
  return new TextEncoder().encode(lines.join("\r\n") + "\r\n\r\n");
}

/** Reads until the end of a head; gives its status. */
export async function statusOf(conn: Deno.Conn): Promise<number> {
  const bytes = new Uint8Array(1024);
  let text = "";
  while (!text.includes("\r\n\r\n")) {
    const count = await conn.read(bytes);
    if (count === null) throw new Error(`The connection ended behind: ${text}`);
    text += new TextDecoder().decode(bytes.subarray(0, count));
  }
  return Number(text.slice(9, 12));
}

/** How many files a process of this machine may have open. */
export async function fileLimit(): Promise<number> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", "ulimit -n"] }).output();
  return Number(new TextDecoder().decode(stdout));
}
