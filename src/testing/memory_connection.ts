import type { ChannelParts } from "../stream_channel/channel_like.ts";
import { connectLines, Line, type LinePace } from "../stream_channel/channel_pair.ts";
import type { ChannelWireOptions } from "../web_socket/channel_wire.ts";

/** One side of a connection: its bytes, and how to destroy it. */
export interface MemorySide extends ChannelParts<Uint8Array, Uint8Array>, ChannelWireOptions {
  /** Ends the connection at once. */
  readonly destroy: () => void;
}

/** The faults of one direction of a {@linkcode MemoryConnection}. */
export interface LineFaults extends LinePace<Uint8Array> {
  /** Returns the maximum length of the next piece of a chunk, in bytes. */
  pieceSize(): number;
}

/**
 * A connection in memory: a pair of lines that end as TCP does. Bytes are never delivered inside the call
 * that sends them.
 */
export class MemoryConnection {
  /** The client's side. */
  readonly client: MemorySide;
  /** The server's side. */
  readonly server: MemorySide;

  readonly #lines: readonly Line<Uint8Array>[];

  /**
   * Creates a connection.
   *
   * @param faults Creates the faults of one direction. Default: no faults.
   */
  constructor(faults?: () => LineFaults) {
    const toServer = lineOf(faults?.());
    const toClient = lineOf(faults?.());
    connectLines(toServer, toClient);
    this.#lines = [toServer, toClient];
    this.client = sideOf(toServer, toClient);
    this.server = sideOf(toClient, toServer);
  }

  /** Ends both sides at once, and drops the bytes in flight. */
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

/** Copies a chunk and splits it into pieces. The receiver and the sender may both write to their bytes. */
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
