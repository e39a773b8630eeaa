import { WebSocketChannel } from "../../mod.ts";
import { NativeWebSocketChannel } from "../../src/native/mod.ts";
import { parseConnect } from "../../src/web_socket/connect_request.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { type ChannelFactory, testWebSocketChannel, type Traits } from "./mod.ts";

/** Whether this is workerd, which looks like Node but isn't. */
const isWorkerd = globalThis.navigator?.userAgent === "Cloudflare-Workers";

/** How each platform's own WebSocket behaves where platforms differ. */
const traits: Traits = {
  ownProtocol: false,
  allCloseCodes: platform() === "bun" || isWorkerd,
  headers: platform() !== "browser" && !isWorkerd,
  // Deno's own WebSocket doesn't check it, and nothing outside of it can.
  checksAccept: platform() !== "deno",
  tellsStatus: platform() === "deno" || platform() === "bun",
  seesCloseBeforeTcpEnds: platform() === "deno" || isWorkerd,
  keepsByteOrderMark: platform() !== "node" || isWorkerd,
};

/** Registers the suite, or an ignored test that says why it can't run: Node 20 has no WebSocket of its own. */
function testNative(name: string, connect: ChannelFactory["connect"]): void {
  if (typeof globalThis.WebSocket === "function") {
    return testWebSocketChannel(name, { traits, connect });
  }
  Deno.test({
    name: `${name}: not run, this runtime has no WebSocket of its own`,
    ignore: true,
    fn: () => {},
  });
}

testNative(
  "connect (native)",
  (url, options) => WebSocketChannel.connect(url, { ...options, transport: "native" }),
);

testNative("from (native)", (url, options = {}) => {
  const { url: checked, protocols, headers } = parseConnect(url, options);
  // `from` takes no header fields; and when the signal has already aborted, no socket may be created.
  if (headers.length > 0 || options.signal?.aborted) {
    return NativeWebSocketChannel.connect(url, options);
  }
  const socket = new WebSocket(checked, [...protocols]);
  return WebSocketChannel.from(socket, { ...options, protocols });
});
