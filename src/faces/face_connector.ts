import { connect } from "../connect.ts";
import { failedNative } from "../native/native_web_socket_channel.ts";
import { hasNet } from "../net/builtins.ts";
import { ConnectError, UnsupportedError } from "../web_socket/errors.ts";
import { readConnectOptions } from "../web_socket/read_options.ts";
import { shownUrl } from "../web_socket/shown_url.ts";
import { platform } from "../web_socket/platform.ts";
import { hasBadPort } from "./bad_ports.ts";
import type { Connector } from "./face_target.ts";
import { isFaceClass } from "./web_socket.ts";

/** The error of a port that pages may not connect to. */
function blocked(url: URL): ConnectError {
  const message = `Cannot connect to ${shownUrl(url)}: port ${url.port} is one of those that ` +
    "a WebSocket may not connect to. Use WebSocketChannel.connect";
  return new ConnectError(message, { retryable: false });
}

/** With this package's own implementation where there is `node:net`: the platforms' own differ from the standard. */
export const CONNECTOR: Connector = {
  connect(url, options) {
    const { transport = "auto" } = options;
    if (transport === "auto") {
      return connect(url, { ...options, transport: hasNet() ? "net" : "auto" });
    }
    if (transport === "native" && isFaceClass(globalThis.WebSocket)) {
      return failedNative(new UnsupportedError("native", platform(), IN_A_CIRCLE), {
        url,
        protocols: [],
        headers: [],
      });
    }
    return connect(url, options);
  },
  refuse: (url) => failedNative(blocked(url), { url, protocols: [], headers: [] }),
  isBlocked: hasBadPort,
  // The platforms' own drop messages that arrive after their Close.
  streamOptions: ({ transport = "auto" }) =>
    hasNet() && transport !== "native" ? { ownBuffers: true, afterClose: "deliver" } : {},
  check: (options) => void readConnectOptions(options),
};

const IN_A_CIRCLE =
  "The global WebSocket is a class of this package, which would connect with itself";
