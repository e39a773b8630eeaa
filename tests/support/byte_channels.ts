/** Channels of bytes for tests: over TCP, in memory, cut into bytes, merged into one. */

import { connect as connectTcp, type Socket } from "node:net";
import { SocketWire } from "../../src/net/socket_wire.ts";
import { SinkController, StreamController } from "./controllers.ts";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import type { ByteChannel } from "./own_channels.ts";
import { joined } from "./bytes.ts";

/** A TCP connection to the host of a URL, as a wire. */
export async function dial(url: string): Promise<SocketWire> {
  const { hostname, port } = new URL(url);
  const socket: Socket = await new Promise((resolve, reject) => {
    const socket = connectTcp({ host: hostname, port: Number(port), allowHalfOpen: true });
    socket.once("connect", () => {
      socket.removeListener("error", reject);
      resolve(socket);
    });
    socket.once("error", reject);
  });
  return new SocketWire(socket);
}

/** Splits a chunk in flight into other chunks. */
export type Reshape = (chunk: Uint8Array) => Iterable<Uint8Array>;

/**
 * Splits a chunk into single bytes. Of a chunk above 16 KiB it splits only the first 1 KiB so, and
 * the rest into pieces of odd length, so that a large chunk does not become too many.
 */
export function* byByte(chunk: Uint8Array): Iterable<Uint8Array> {
  const single = chunk.length > 16 * 1024 ? 1024 : chunk.length;
  let at = 0;
  while (at < chunk.length) {
    const size = at < single ? 1 : 1009;
    yield chunk.slice(at, at += size);
  }
}

/**
 * Passes the same bytes in other chunks, in both directions: `reshape` cuts them synchronously.
 */
export function reshaped(inner: ByteChannel, reshape: Reshape): ByteChannel {
  const incoming = new StreamController<Uint8Array>({
    pause: () => subscription.pause(),
    resume: () => subscription.resume(),
  });
  const subscription = inner.stream.listen((chunk) => {
    for (const part of reshape(chunk)) incoming.add(part);
  }, { onError: (error) => incoming.fail(error), onDone: () => incoming.end() });
  const outgoing = new SinkController<Uint8Array>({
    get bufferedAmount(): number {
      return inner.sink.bufferedAmount;
    },
    add(chunk) {
      for (const part of reshape(chunk)) inner.sink.add(part);
    },
    close: () => void inner.sink.close(),
    abort: (error) => inner.sink.addError(error),
    watch: () =>
      void inner.sink.ready.then(() => outgoing.drained()).then(() => inner.sink.flush())
        .then(() => outgoing.drained(), () => {}),
  });
  inner.sink.done.then(() => outgoing.finish(), (error) => outgoing.finish(error));
  return {
    stream: incoming.stream,
    sink: outgoing.sink,
    ...(inner.destroy === undefined ? {} : { destroy: () => inner.destroy?.() }),
  };
}

/** Passes the same bytes, with everything of one turn of the event loop as one chunk. */
export function merged(inner: ByteChannel): ByteChannel {
  const incoming = new StreamController<Uint8Array>({
    pause: () => subscription.pause(),
    resume: () => subscription.resume(),
  });
  let waiting: Uint8Array[] = [];
  const deliver = (): void => {
    const chunks = waiting;
    waiting = [];
    if (chunks.length > 0) incoming.add(joined(chunks));
  };
  const subscription = inner.stream.listen((chunk) => {
    if (waiting.push(chunk) === 1) setTimeout(deliver, 0);
  }, {
    onError: (error) => (deliver(), incoming.fail(error)),
    onDone: () => (deliver(), incoming.end()),
  });
  return { ...inner, stream: incoming.stream, sink: inner.sink, ownsChunks: false };
}

/** A channel in memory whose other end is another channel of bytes: bytes pass through both. */
export function throughPair(inner: ByteChannel): ByteChannel {
  const { local, foreign } = channelPair<Uint8Array>();
  foreign.pipe(inner).catch(() => {});
  return {
    stream: local.stream,
    sink: local.sink,
    ...(inner.destroy === undefined ? {} : { destroy: () => inner.destroy?.() }),
  };
}
