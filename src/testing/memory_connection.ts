import type { ChannelParts } from "../stream_channel/channel_like.ts";
import { connectLines, Line, type LinePace } from "../stream_channel/channel_pair.ts";
import type { ChannelWireOptions } from "../web_socket/channel_wire.ts";

/** A side of a connection: its bytes, and how to end it. */
export interface MemorySide extends ChannelParts<Uint8Array, Uint8Array>, ChannelWireOptions {
  /** Ends it at once. */
  readonly destroy: () => void;
}

/** The faults of one direction of a {@linkcode MemoryConnection}. */
export interface LineFaults extends LinePace<Uint8Array> {
  /** How long the next piece of a chunk may be, in bytes. */
  pieceSize(): number;
}

/**
 * A connection in memory: a pair of lines with the ends that TCP has. Delivery is never inside the call
 * that sends.
 */
export class MemoryConnection {
  /** One side. */
  readonly client: MemorySide;
  /** The other one. */
  readonly server: MemorySide;

  readonly #lines: readonly Line<Uint8Array>[];

  /** @param faults Creates the faults of one direction. Left out: there are none. */
  constructor(faults?: () => LineFaults) {
    const toServer = lineOf(faults?.());
    const toClient = lineOf(faults?.());
    connectLines(toServer, toClient);
    this.#lines = [toServer, toClient];
    this.client = sideOf(toServer, toClient);
    this.server = sideOf(toClient, toServer);
  }

  /** Ends it at once for both sides, and drops the bytes in flight. */
  reset(): void {
    const error = new Error("The connection was reset");
    for (const line of this.#lines) line.lose(error);
  }
}

function lineOf(faults: LineFaults | undefined): Line<Uint8Array> {
  return new Line<Uint8Array>({
    halfClose: true,
    sizeOf: ({ length }) => length,
    piecesOf: (chunk) => piecesOf(chunk, faults),
    pace: faults,
  });
}

/** A copy: the receiver may write into what it gets, and the sender into what it sent. */
function piecesOf(chunk: Uint8Array, faults: LineFaults | undefined): readonly Uint8Array[] {
  const copy = chunk.slice();
  if (faults === undefined) return [copy];
  const pieces: Uint8Array[] = [];
  let start = 0;
  do {
    const end = start + faults.pieceSize();
    pieces.push(copy.subarray(start, end));
    start = end;
  } while (start < copy.length);
  return pieces;
}

function sideOf(out: Line<Uint8Array>, back: Line<Uint8Array>): MemorySide {
  return {
    stream: back.stream,
    sink: out.sink,
    ownsChunks: true,
    destroy: () => out.destroy(),
  };
}
