/** The server's half of the protocol over TCP, without the rest of the server. */

import { delay } from "@std/async";
import { createServer, type Server, type Socket } from "node:net";
import type { ParsedHead, RequestHead } from "../../src/handshake/http_head.ts";
import {
  acceptRequest,
  checkRequest,
  serializeAcceptance,
  serializeRefusal,
} from "../../src/handshake/server_handshake.ts";
import { SocketWire } from "../../src/net/socket_wire.ts";
import { Channel } from "../../src/web_socket/channel.ts";
import { systemClock } from "../../src/web_socket/clock.ts";
import type { ProtocolOptions } from "../../src/web_socket/options.ts";
import { speak } from "../../src/web_socket/speaking.ts";
import type { Wire, WireEvents } from "../../src/web_socket/wire.ts";
import { coreWith } from "./own_channels.ts";
import { closeServer, listen } from "./loopback.ts";
import { RequestParser } from "./request_parser.ts";

export interface OwnServerOptions extends ProtocolOptions {
  /** The subprotocols that the server supports, in order of preference. */
  protocols?: string[];
}

/** A running server. */
export interface OwnServer {
  /** `ws://127.0.0.1:PORT`, without a slash at its end. */
  readonly url: string;
  /** Its channels, including closed ones. */
  readonly channels: readonly Channel[];
  /** The number of sockets that aren't closed in both directions. */
  readonly open: number;
  /** Fulfils when no socket is open any more. */
  idle(): Promise<void>;
  /** Ends everything at once. */
  close(): Promise<void>;
}

/** Serves WebSocket on loopback. */
export async function serve(
  onChannel: (channel: Channel) => void,
  options: OwnServerOptions = {},
): Promise<OwnServer> {
  const channels: Channel[] = [];
  const sockets: Set<Socket> = new Set();
  const waiting: (() => void)[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      if (sockets.size === 0) { for (const wake of waiting.splice(0)) wake(); }
    });
    upgrade(new SocketWire(socket), options, (channel) => {
      channels.push(channel);
      onChannel(channel);
    });
  });
  const port = await listen(server);
  const idle = (): Promise<void> =>
    sockets.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve));
  return {
    url: `ws://127.0.0.1:${port}`,
    channels,
    get open(): number {
      return sockets.size;
    },
    idle,
    async close(): Promise<void> {
      for (const socket of sockets) socket.destroy();
      await idle();
      await closeServer(server);
      // Pending operations of the sockets settle in the next turn.
      await delay(0);
    },
  };
}

/** Runs a body against a server, and ends the server, even if the body throws. */
export async function withServer(
  onChannel: (channel: Channel) => void,
  options: OwnServerOptions,
  body: (server: OwnServer) => Promise<void>,
): Promise<void> {
  const server = await serve(onChannel, options);
  try {
    await body(server);
  } finally {
    await server.close();
  }
}

/** Sends back each message. */
export function echo(channel: Channel): void {
  channel.stream.listen((message) => channel.sink.add(message));
}

function upgrade(
  wire: Wire,
  { protocols, ...options }: OwnServerOptions,
  onChannel: (channel: Channel) => void,
): void {
  const parser = new RequestParser();
  const { compression = false } = options;
  const onHead = ({ head, rest }: ParsedHead<RequestHead>): void => {
    const { request, refusal } = checkRequest(head);
    if (request === null) {
      wire.write(serializeRefusal(refusal));
      void wire.end();
      return;
    }
    const acceptance = acceptRequest(request, {
      ...(protocols === undefined ? {} : { protocols }),
      compression: compression === true ? {} : compression === false ? null : compression,
    });
    wire.write(serializeAcceptance(acceptance));
    const core = coreWith(options, systemClock);
    let transport: WireEvents | null = null;
    // The socket emits the bytes after the request as soon as there is a listener.
    const early: Wire = new Proxy(wire, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key, target);
        if (key === "listen") return (events: WireEvents) => target.listen(transport = events);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    speak(core, early, { side: "server", agreement: acceptance, options });
    onChannel(new Channel(core));
    if (rest.length > 0) (transport as WireEvents | null)?.onChunk(rest);
  };
  wire.listen({
    onChunk: (chunk) => {
      const parsed = parser.push(chunk);
      if (parsed !== null) onHead(parsed);
    },
    onDrain: () => {},
    onEnded: () => {},
    onEnd: () => wire.destroy(),
  });
}
