/**
 * The conformance suite: one suite, run against every implementation of `WebSocketChannel` on
 * every runtime. Ids in test names (C1, G5, W12, S17) refer to tests/BEHAVIOURS.md;
 * (changed) marks an outcome that differs from Dart's on purpose.
 */

import { testConnecting } from "./connecting.ts";
import { testFlow } from "./flow.ts";
import { testLarge } from "./large.ts";
import { testLocalClose } from "./local_close.ts";
import { testMessages } from "./messages.ts";
import { testRemoteClose } from "./remote_close.ts";
import { type ChannelFactory, createSuite } from "./suite.ts";

export { type ChannelFactory, OWN_TRAITS, type Traits } from "./suite.ts";

/** Registers the whole suite for one implementation. */
export function testWebSocketChannel(name: string, factory: ChannelFactory): void {
  const suite = createSuite(name, factory);
  testConnecting(suite);
  testMessages(suite);
  testLocalClose(suite);
  testRemoteClose(suite);
  testFlow(suite);
  testLarge(suite);
}
