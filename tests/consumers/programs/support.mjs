/** What the consumers' programs share. */

import { spawn } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { WebSocketServer } from "web-socket-channel/server";

/** The maximum duration of a program, in milliseconds. */
const PATIENCE = 60_000;

/** Runs a program, and prints a line at its end. */
export async function run(program) {
  const timer = setTimeout(() => {
    console.error("It takes too long");
    process.exit(1);
  }, PATIENCE);
  await program();
  clearTimeout(timer);
  console.log("ok");
}

/** A server that returns what it gets, and the channels it has. */
export async function echoServer(options = {}) {
  const channels = [];
  const server = await WebSocketServer.bind({
    port: 0,
    protocols: ({ protocols }) => protocols[0] ?? null,
    handler: async (channel) => {
      channels.push(channel);
      channel.stream.listen((message) => channel.sink.add(message));
      await channel.closed;
    },
    ...options,
  });
  return { server, channels, url: server.url };
}

/** The next event of a type. */
export function next(target, type) {
  return new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));
}

/** A port without a listener. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function canConnect(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/**
 * Starts a server that is a program, and waits until it listens.
 *
 * @param args Its arguments: `FILE` is replaced by the path of its configuration.
 * @returns Ends it.
 */
export async function startProgram(path, args, { config, port }) {
  const folder = await mkdtemp(join(tmpdir(), "consumer-"));
  // As root, mosquitto becomes a user of its own before it reads the file.
  await chmod(folder, 0o755);
  const file = join(folder, "server.conf");
  await writeFile(file, config);
  const child = spawn(path, args.map((it) => it === "FILE" ? file : it), { stdio: "ignore" });
  process.on("exit", () => child.kill("SIGKILL"));
  const ended = new Promise((resolve, reject) => {
    child.on("exit", resolve);
    child.on("error", reject);
  });
  ended.catch(() => {});
  while (!await canConnect(port)) {
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 20))]);
    if (child.exitCode !== null) throw new Error(`${path} ended with ${child.exitCode}`);
  }
  return async () => {
    child.kill("SIGKILL");
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
}
