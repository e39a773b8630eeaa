/** Shared code of the sections: contenders of a client and a server, and their rows. */

import { deadline } from "@std/async";
import { type ClientName, connectClient } from "../clients.ts";
import { echoing } from "../load.ts";
import { type Contender, type Effort, measureAll } from "../measure.ts";
import { maskedCopy, rawEchoing, rawSocket } from "../raw.ts";
import { MessageSocket } from "../raw_messages.ts";
import type { Result, Row } from "../row.ts";
import { hasGlobal, runtime } from "../runtime.ts";
import { type ServerProcess, startServer } from "../server_process.ts";
import type { ServerName } from "../servers.ts";

/** A section of the benchmarks. It yields each row when it is ready. */
export type Section = (effort: Effort) => AsyncIterable<Row>;

/** The description of a row. */
export type RowHead = Omit<Row, "results" | "better" | "note"> & {
  readonly better?: Row["better"];
  readonly note?: string;
};

/** A row. More is better by default. */
export function rowOf(head: RowHead, results: readonly Result[]): Row {
  return { better: "more", note: "", ...head, results };
}

/** Servers, each of which starts once, at its first use. */
export class Servers {
  readonly #running = new Map<ServerName, Promise<ServerProcess>>();
  readonly #identity: { readonly cert: string; readonly key: string } | undefined;

  constructor(identity?: { readonly cert: string; readonly key: string }) {
    this.#identity = identity;
  }

  get(name: ServerName): Promise<ServerProcess> {
    const running = this.#running.get(name) ?? startServer(name, this.#identity);
    this.#running.set(name, running);
    return running;
  }

  /** The processes of the running servers. */
  async pids(): Promise<number[]> {
    return (await Promise.all(this.#running.values())).map(({ pid }) => pid);
  }

  async stop(): Promise<void> {
    for (const server of this.#running.values()) (await server).stop();
    this.#running.clear();
  }
}

/** A client and a server. */
export type Pair = readonly [client: ClientName, server: ServerName];

/** Whether the runtime has a client. */
export function isThere([client]: Pair): boolean {
  if (client === "global WebSocket" || client === "ours, native") return hasGlobal;
  return client !== "undici" || runtime === "Node";
}

/** The name of a pair. */
export function pairName([client, server]: Pair): string {
  return `${client} ↔ ${server}`;
}

/** The kinds of bare sockets. */
export const RAW = "raw TCP, a turn";
export const RAW_MESSAGES = "raw TCP, a message";
export const RAW_MASKED = "raw TCP + a mask, an unmask, a copy";

/** Messages up to this many bytes are complete in most chunks. */
const SMALL = 1024;

/** Message size, window and contenders of a row of echoes. */
export interface Echo {
  readonly size: number;
  readonly window: number;
  readonly pairs: readonly Pair[];
  readonly raw?: boolean;
}

/** Measures echoed messages per second. */
export async function echoResults(
  servers: Servers,
  { size, window, pairs, raw = true }: Echo,
  effort: Effort,
): Promise<Result[]> {
  const message = new Uint8Array(size).fill(97);
  const contenders: Contender[] = [];
  const open: { close(): Promise<void> }[] = [];
  for (const pair of pairs.filter(isThere)) {
    const client = await connectClient(pair[0], (await servers.get(pair[1])).url);
    open.push(client);
    contenders.push(echoing(pairName(pair), client, { message, window }));
  }
  if (raw) contenders.push(...await rawContenders(servers, { size, window }));
  const results = await measureAll(contenders, effort);
  // A failed contender may never end.
  const closed = Promise.all(open.map((client) => client.close()));
  await deadline(closed, 2000).catch(() => {});
  return results;
}

async function rawContenders(
  servers: Servers,
  load: { size: number; window: number },
): Promise<Contender[]> {
  const bare = await rawSocket((await servers.get("raw")).port);
  const masked = await rawSocket((await servers.get("raw, unmasked")).port);
  const contenders = [
    rawEchoing(RAW, bare, load),
    rawEchoing(RAW_MASKED, masked, load, maskedCopy),
  ];
  const { size, window } = load;
  // It joins chunks in the simplest way, which is slow for many chunks.
  if (size > SMALL) return contenders;
  const messages = new MessageSocket(await rawSocket((await servers.get("raw, messages")).port));
  return [
    ...contenders,
    echoing(RAW_MESSAGES, messages, { message: new Uint8Array(size), window }),
  ];
}
