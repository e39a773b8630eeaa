import { systemClock } from "../../src/web_socket/clock.ts";
import {
  type ConnectOptions,
  parseConnect,
  readConnectOptions,
} from "../../src/web_socket/connect_options.ts";
import { ConnectError } from "../../src/web_socket/errors.ts";
import type { ByteTransport } from "../../src/web_socket/byte_transport.ts";
import { ProtocolChannel } from "../../src/web_socket/protocol_channel.ts";
import type { WebSocketChannel } from "../../mod.ts";
import { byByte, dial, merged, reshaped, throughPair } from "../support/byte_channels.ts";
import { testWebSocketChannel, type Traits } from "./mod.ts";

/** Our own implementation is the same on every platform. */
const traits: Traits = {
  ownProtocol: true,
  allCloseCodes: true,
  headers: true,
  checksAccept: true,
  tellsStatus: true,
  seesCloseBeforeTcpEnds: true,
  keepsByteOrderMark: true,
};

/** Dials, and does the handshake over what `wrap` makes of the connection. */
function connect(
  wrap: (bytes: ByteTransport) => ByteTransport,
  url: string,
  given?: ConnectOptions,
): WebSocketChannel {
  const options = readConnectOptions(given);
  const request = parseConnect(url, options);
  const channel = new ProtocolChannel("client", options, systemClock);
  channel.bound(options, () => "handshake");
  if (channel.state === "closed") return channel;
  dial(request.url.href).then(
    (bytes) => channel.beginWithHandshake(wrap(bytes), { request, origin: options.origin }),
    (cause) => channel.fail(new ConnectError(`Cannot connect to ${url}`, { cause, phase: "tcp" })),
  );
  return channel;
}

const transports: [name: string, wrap: (bytes: ByteTransport) => ByteTransport][] = [
  ["TCP", (bytes) => bytes],
  ["channelPair", throughPair],
  ["one byte at a time", (bytes) => reshaped(bytes, byByte)],
  ["everything merged", merged],
];
for (const [name, wrap] of transports) {
  testWebSocketChannel(`protocol over ${name}`, {
    // The end of a pair is the end of both its directions.
    traits: { ...traits, mayLoseAnswer: wrap === throughPair },
    connect: (url, options) => connect(wrap, url, options),
  });
}
