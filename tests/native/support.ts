/** Helpers for tests of native channels. */

import { NativeChannel } from "../../src/native/native_channel.ts";
import type { FromOptions } from "../../src/web_socket/options.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";

/** A channel over a fake socket, and their controls. */
export interface Wrapped {
  readonly clock: ManualClock;
  readonly socket: FakeWebSocket;
  readonly channel: NativeChannel;
}

export function wrap(
  options: FromOptions = {},
  socket: FakeWebSocket = new FakeWebSocket(),
): Wrapped {
  const clock = new ManualClock();
  return { clock, socket, channel: NativeChannel.from(socket, options, clock) };
}
