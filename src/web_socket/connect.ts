import { NativeChannel } from "../native/native_channel.ts";
import { missingNatively } from "../native/native_capabilities.ts";
import { systemClock } from "./clock.ts";
import { type ConnectOptions, parseConnect } from "./connect_options.ts";
import { UnsupportedError } from "./errors.ts";
import { platform } from "./platform.ts";
import type { WebSocketChannel } from "./web_socket_channel.ts";

/**
 * Connects with the transport that can do what the options ask for.
 *
 * @param url Where to.
 * @param options See {@linkcode ConnectOptions}.
 * @throws {SyntaxError | TypeError | RangeError} When an argument is malformed.
 */
export function connect(url: string | URL, options: ConnectOptions = {}): WebSocketChannel {
  const request = parseConnect(url, options);
  const missing = options.transport === "net"
    ? "the net transport"
    : missingNatively(options, request);
  if (missing === null) return NativeChannel.connect(request, options, systemClock);
  return NativeChannel.failed(
    new UnsupportedError(missing, platform(), hintFor(missing)),
    systemClock,
  );
}

function hintFor(missing: string): string {
  if (missing !== "headers" || platform() !== "browser") return "";
  return "Authenticate with a subprotocol, a cookie, the URL or the first message instead";
}
