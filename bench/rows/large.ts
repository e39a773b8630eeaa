/** One message of 4 GiB, echoed while it arrives: the memory of each end over time, compared with bare sockets. */

import type { LargeClient, Sample } from "../large_client.ts";
import type { Effort } from "../measure.ts";
import type { Result, Row } from "../row.ts";
import { type ServerProcess, startClient, startServer } from "../server_process.ts";
import type { ServerName } from "../servers.ts";
import { rowOf } from "./section.ts";

const CONTENDERS: readonly (readonly [client: LargeClient, server: ServerName])[] = [
  ["ours", "ours, streamed"],
  ["raw TCP", "raw, piped"],
];

/** Memory and rate. */
export async function* rows({ quick }: Effort): AsyncGenerator<Row> {
  const size = quick ? 64 << 20 : 4 * 2 ** 30;
  const memory: Result[] = [];
  const rates: Result[] = [];
  for (const [name, serverName] of CONTENDERS) {
    const server = await startServer(serverName);
    const ends: Record<"client" | "server", [x: number, y: number][]> = { client: [], server: [] };
    let last: Sample = { time: 0, resident: 0, received: 0 };
    for await (const sample of startClient(name, server.port, size)) {
      last = sample;
      ends.client.push([sample.time, sample.resident / 1e6]);
      ends.server.push([sample.time, await resident(server)]);
    }
    server.stop();
    if (last.received !== size) throw new Error(`${name}: ${last.received} of ${size} bytes`);
    for (const [end, points] of Object.entries(ends)) {
      memory.push({
        name: `${name}, ${end}`,
        values: [Math.max(...points.map(([, megabytes]) => megabytes))],
        points,
      });
    }
    rates.push({ name, values: [size / last.time / 1e6] });
  }
  const what = `One message of ${size / 2 ** 20} MiB, echoed while it arrives`;
  const note = "Client and server are processes of their own. Chunks of 64 KiB, not compressed.";
  yield rowOf({
    id: "large-memory",
    title: `${what}: peak resident memory of each process`,
    unit: "MB",
    x: "s",
    better: "less",
    note: `${note} A runtime without any connection takes most of it.`,
  }, memory);
  yield rowOf({ id: "large-rate", title: what, unit: "MB/s each way", note }, rates);
}

async function resident(server: ServerProcess): Promise<number> {
  return await server.resident() / 1e6;
}
