/** A pausing reader stops an endless sender over real sockets. */

import { assert, assertEquals } from "@std/assert";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { signKey } from "../../src/handshake/accept_key.ts";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { LoopbackProbe } from "../support/loopback_probe.ts";
import { startProxy } from "../support/net_peers.ts";
import { certificates, withAll } from "./support.ts";
import { deferred } from "../support/promises.ts";
import { closeServer, listen } from "../support/loopback.ts";

const { authority, local } = certificates();
const SIZE = 65_000;
/** The system's buffers for one loopback connection: a few megabytes. */
const MOST = 16 * 1024 * 1024;

/** A server that sends numbered messages as fast as possible, up to a settable number. */
class Flood {
  readonly #server: Server;
  readonly #sockets: Socket[] = [];
  /** How many messages the server may send: more than a test needs, but limited, so that a failing test ends. */
  limit = 16 * Math.ceil(MOST / SIZE);
  /** How many messages the server has passed to the system. */
  sent = 0;

  constructor(isTls: boolean) {
    const serve = (socket: Socket): void => this.#serve(socket);
    this.#server = isTls ? createTlsServer(local, serve) : createServer(serve);
  }

  async start(): Promise<number> {
    return await listen(this.#server);
  }

  #serve(socket: Socket): void {
    this.#sockets.push(socket);
    socket.on("error", () => {});
    socket.once("data", (chunk: Uint8Array) => {
      const key = /Sec-WebSocket-Key: (\S+)/.exec(new TextDecoder().decode(chunk))?.[1] ?? "";
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
          `Sec-WebSocket-Accept: ${signKey(key)}\r\n\r\n`,
      );
      this.#send(socket, 0);
    });
  }

  #send(socket: Socket, number: number): void {
    if (number >= this.limit) return;
    const frame = new Uint8Array(4 + SIZE);
    const view = new DataView(frame.buffer);
    view.setUint16(0, 0x827e);
    view.setUint16(2, SIZE);
    view.setUint32(4, number);
    socket.write(frame, (error?: Error | null) => {
      if (error) return;
      this.sent++;
      this.#send(socket, number + 1);
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await closeServer(this.#server);
  }
}

/** Fulfils when a number stays the same while another connection exchanges bytes. */
async function stopped(probe: LoopbackProbe, count: () => number): Promise<number> {
  for (let before = -1, same = 0; same < 100; same = count() === before ? same + 1 : 0) {
    before = count();
    await probe.roundTrip();
  }
  return count();
}

for (const way of ["TCP", "TLS", "TLS through a proxy that speaks TLS"]) {
  Deno.test(`net G14 over ${way}: a pausing reader stops the sender, and loses no message`, async () => {
    const flood = new Flood(way !== "TCP");
    const port = await flood.start();
    const proxy = await startProxy({ tls: local });
    await withAll([flood, proxy, new LoopbackProbe()], async (_flood, _proxy, probe) => {
      const scheme = way === "TCP" ? "ws" : "wss";
      const channel = NetWebSocketChannel.connect(`${scheme}://localhost:${port}`, {
        tls: { ca: authority.cert },
        ...(way.includes("proxy") ? { proxy: `https://localhost:${proxy.port}` } : {}),
      });
      await channel.ready;
      let received = 0;
      const { promise: last, resolve: onLast } = deferred();
      const subscription = channel.stream.listen((message) => {
        const { buffer, byteOffset } = message as Uint8Array;
        assertEquals(new DataView(buffer, byteOffset).getUint32(0), received);
        if (++received === flood.limit) onLast();
      });
      for (let round = 0; round < 3; round++) {
        subscription.pause();
        const before = received;
        const sent = await stopped(probe, () => flood.sent);
        const connections = way.includes("proxy") ? 2 : 1;
        assert((sent - before) * SIZE < connections * MOST, `${sent - before} messages were taken`);
        assertEquals(received, before);
        subscription.resume();
        while (received < sent + 100) await probe.roundTrip();
      }
      // The channel also delivers the messages that it holds when the last byte has arrived.
      subscription.pause();
      flood.limit = flood.sent + 1;
      // The last message may arrive before its sender notices that it has left.
      if (received === flood.limit) onLast();
      await stopped(probe, () => flood.sent);
      subscription.resume();
      await last;
      channel.terminate();
    });
  });
}
