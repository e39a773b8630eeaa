/** A transport of bytes under a test's control, and channels over it. */

import { ChannelSinkController } from "../../src/stream_channel/sink_controller.ts";
import { ChannelStreamController } from "../../src/stream_channel/stream_controller.ts";
import type { Channel } from "../../src/web_socket/channel.ts";
import type { ProtocolOptions } from "../../src/web_socket/options.ts";
import type { DeflateParameters } from "../../src/permessage_deflate/deflate_parameters.ts";
import type { Side } from "../../src/protocol/frame.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { type ByteChannel, speakOver } from "../support/own_channels.ts";
import { microtasks } from "../support/events.ts";
import { hex, joined } from "../protocol/support.ts";

/** Bytes that go nowhere: the test is the other end. */
export class FakeBytes implements ByteChannel {
  readonly incoming: ChannelStreamController<Uint8Array>;
  readonly outgoing: ChannelSinkController<Uint8Array>;
  /** What was done to it, but for chunks. */
  readonly log: string[] = [];
  /** What was written, in the chunks it was written in. */
  readonly written: Uint8Array[] = [];
  /** Whether what is written stays: the peer doesn't read. */
  full = false;
  /** Whether closing it ends it: the peer ends its half as well. */
  ends = true;
  #buffered = 0;
  readonly destroy?: () => void;

  constructor(options: { canDestroy?: boolean; highWaterMark?: number } = {}) {
    const { canDestroy = true, highWaterMark } = options;
    this.incoming = new ChannelStreamController<Uint8Array>({
      pause: () => this.log.push("pause"),
      resume: () => this.log.push("resume"),
      cancel: () => this.log.push("cancel"),
    }, { highWaterMark });
    const buffered = (): number => this.#buffered;
    this.outgoing = new ChannelSinkController<Uint8Array>({
      get bufferedAmount(): number {
        return buffered();
      },
      add: (chunk) => this.#write(chunk),
      close: () => {
        this.log.push("close");
        if (this.ends) this.outgoing.finish();
      },
      abort: () => this.log.push("abort"),
    }, { highWaterMark });
    if (canDestroy) {
      this.destroy = () => {
        this.log.push("destroy");
        this.outgoing.finish();
      };
    }
  }

  get stream(): ChannelStreamController<Uint8Array>["stream"] {
    return this.incoming.stream;
  }

  get sink(): ChannelSinkController<Uint8Array>["sink"] {
    return this.outgoing.sink;
  }

  /** All that was written since the last call, in hexadecimal. */
  sent(): string {
    return hex(joined(this.written.splice(0)));
  }

  /** Bytes from the peer. */
  receive(...chunks: Uint8Array[]): void {
    for (const chunk of chunks) this.incoming.add(chunk);
  }

  /** The peer reads again, all of it. */
  drain(): void {
    this.full = false;
    this.#buffered = 0;
    this.outgoing.drained();
  }

  /** It is over on both sides, as when a connection is reset. */
  fail(error: unknown): void {
    this.incoming.fail(error);
    this.outgoing.finish(error);
  }

  #write(chunk: Uint8Array): void {
    this.written.push(chunk.slice());
    if (this.full) this.#buffered += chunk.length;
  }
}

/** An open channel over {@linkcode FakeBytes}, with a clock that stands still. */
export interface Rig {
  readonly channel: Channel;
  readonly bytes: FakeBytes;
  readonly clock: FakeClock;
}

export interface RigOptions extends ProtocolOptions {
  side?: Side;
  bytes?: FakeBytes;
  deflate?: DeflateParameters;
}

/** Makes an open channel. */
export function rig(options: RigOptions = {}): Rig {
  const { side = "client", bytes = new FakeBytes(), deflate = null, ...rest } = options;
  const clock = new FakeClock();
  const agreement = { protocol: null, extensions: "", deflate };
  const channel = speakOver(side, bytes, rest, clock, agreement);
  return { channel, bytes, clock };
}

/** `channel.closed`, without its error, of a channel that must be over by now. */
export async function ended(channel: Channel): Promise<Record<string, unknown>> {
  await microtasks(50);
  // The peer's Close takes effect a turn later where nobody has read yet.
  if (channel.state !== "closed") await new Promise<void>((resolve) => setTimeout(resolve, 0));
  if (channel.state !== "closed") throw new Error(`The channel isn't over: ${channel.state}`);
  const { error: _error, ...info } = await channel.closed;
  return info;
}
