/** The server's half of the protocol over TCP, with nothing around it. */

import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { type ParsedHead, type RequestHead, RequestParser } from "../../src/handshake/http_head.ts";
import {
  acceptRequest,
  checkRequest,
  serializeAcceptance,
  serializeRefusal,
} from "../../src/handshake/server_handshake.ts";
import { SocketTransport } from "../../src/net/socket_transport.ts";
import { ChannelStreamController } from "../../src/stream_channel/stream_controller.ts";
import type { ByteTransport } from "../../src/web_socket/byte_transport.ts";
import { systemClock } from "../../src/web_socket/clock.ts";
import { ProtocolChannel } from "../../src/web_socket/protocol_channel.ts";
import type { ProtocolOptions } from "../../src/web_socket/protocol_options.ts";

export interface OwnServerOptions extends ProtocolOptions {
  /** The subprotocols that the server speaks, its favourite first. */
  protocols?: string[];
}

/** A running server. */
export interface OwnServer {
  /** `ws://127.0.0.1:PORT`, without a slash at its end. */
  readonly url: string;
  /** Its channels, those that are over included. */
  readonly channels: readonly ProtocolChannel[];
  /** How many sockets aren't closed in both directions. */
  readonly open: number;
  /** Fulfils when no socket is open any more. */
  idle(): Promise<void>;
  /** Ends everything at once. */
  close(): Promise<void>;
}

/** Serves WebSocket on loopback. */
export async function serve(
  onChannel: (channel: ProtocolChannel) => void,
  options: OwnServerOptions = {},
): Promise<OwnServer> {
  const channels: ProtocolChannel[] = [];
  const sockets: Set<Socket> = new Set();
  const waiting: (() => void)[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      if (sockets.size === 0) { for (const wake of waiting.splice(0)) wake(); }
    });
    upgrade(new SocketTransport(socket), options, (channel) => {
      channels.push(channel);
      onChannel(channel);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const idle = (): Promise<void> =>
    sockets.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve));
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    channels,
    get open(): number {
      return sockets.size;
    },
    idle,
    async close(): Promise<void> {
      for (const socket of sockets) socket.destroy();
      await idle();
      await new Promise((resolve) => server.close(resolve));
      // What the sockets' own operations leave behind settles in the next turn.
      await new Promise((resolve) => setTimeout(resolve, 0));
    },
  };
}

/** Runs a body against a server, and ends it whatever becomes of the body. */
export async function withServer(
  onChannel: (channel: ProtocolChannel) => void,
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

/** Sends back what comes. */
export function echo(channel: ProtocolChannel): void {
  channel.stream.listen((message) => channel.sink.add(message));
}

function upgrade(
  bytes: ByteTransport,
  { protocols, ...options }: OwnServerOptions,
  onChannel: (channel: ProtocolChannel) => void,
): void {
  const parser = new RequestParser();
  const { compression = false } = options;
  let incoming: ChannelStreamController<Uint8Array> | null = null;
  const onHead = ({ head, rest }: ParsedHead<RequestHead>): void => {
    const { request, refusal } = checkRequest(head);
    if (request === null) {
      bytes.sink.add(serializeRefusal(refusal));
      void bytes.sink.close();
      return;
    }
    const acceptance = acceptRequest(request, {
      ...(protocols === undefined ? {} : { protocols }),
      compression: compression === true ? {} : compression === false ? null : compression,
    });
    bytes.sink.add(serializeAcceptance(acceptance));
    incoming = new ChannelStreamController<Uint8Array>({
      pause: () => subscription.pause(),
      resume: () => subscription.resume(),
    });
    const channel = new ProtocolChannel("server", options, systemClock);
    channel.begin({
      stream: incoming.stream,
      sink: bytes.sink,
      ownsChunks: true,
      cork: () => bytes.cork?.(),
      uncork: () => bytes.uncork?.(),
      destroy: () => bytes.destroy?.(),
    }, acceptance);
    onChannel(channel);
    if (rest.length > 0) incoming.add(rest);
  };
  const subscription = bytes.stream.listen((chunk) => {
    if (incoming !== null) return incoming.add(chunk);
    const parsed = parser.push(chunk);
    if (parsed !== null) onHead(parsed);
  }, {
    onError: (error) => incoming?.fail(error),
    onDone: () => incoming === null ? bytes.destroy?.() : incoming.end(),
  });
}
