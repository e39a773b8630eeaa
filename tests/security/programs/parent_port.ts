/** A worker thread whose channel over `parentPort` ends while other code still uses the port. */

import process from "node:process";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { MessagePortChannel, type MessagePortLike } from "../../../src/stream_channel/mod.ts";

async function main(): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  const others: unknown[] = [];
  worker.on("message", (message) => {
    if (typeof message === "string") others.push(message);
    if (message === "still here") worker.terminate();
  });
  const exited = new Promise((resolve) => worker.once("exit", resolve));
  const channel = new MessagePortChannel<string>(worker as MessagePortLike);
  channel.sink.add("hello");
  const values: string[] = [];
  for await (const value of channel.stream) values.push(value);
  worker.postMessage("ping");
  await exited;
  console.log(JSON.stringify([values, others]));
}

async function inWorker(port: NonNullable<typeof parentPort>): Promise<void> {
  const channel = new MessagePortChannel<string>(port as unknown as MessagePortLike);
  port.on("message", (message) => {
    if (message === "ping") port.postMessage("still here");
  });
  const { value } = await channel.stream.next();
  channel.sink.add(`${value} from the worker`);
  await channel.sink.close();
  port.postMessage("closed");
}

const done = isMainThread || parentPort === null ? main() : inWorker(parentPort);
done.catch((error) => {
  console.error(error);
  process.exit(1);
});
