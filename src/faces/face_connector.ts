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

/** Creates the error for a bad port. */
function blocked(url: URL): ConnectError {
  const message = `Cannot connect to ${shownUrl(url)}: port ${url.port} is ` +
    "not allowed for a WebSocket. Use WebSocketChannel.connect";
  return new ConnectError(message, { retryable: false });
}

/**
 * Connects over this package's own transport if there is `node:net`, because the platforms' own ones differ from
 * the standard.
 */
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
  // The platforms' own implementations drop messages that arrive after their Close.
  streamOptions: ({ transport = "auto" }) =>
    hasNet() && transport !== "native" ? { ownBuffers: true, afterClose: "deliver" } : {},
  check: (options) => void readConnectOptions(options),
};

const IN_A_CIRCLE =
  "The global WebSocket is a class of this package, which can't connect with itself";
