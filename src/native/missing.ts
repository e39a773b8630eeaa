import type { Capabilities, Capability } from "../web_socket/capabilities.ts";
import { UnsupportedError } from "../web_socket/errors.ts";
import type { ConnectOptions } from "../web_socket/options.ts";
import { platform } from "../web_socket/platform.ts";

/** The abilities of a `WebSocket` on which options depend. */
export interface SocketAbilities {
  readonly capabilities: Capabilities;
  /** Whether it offers permessage-deflate by itself. */
  readonly compresses: boolean;
}

/** The options that need a capability. No platform's `WebSocket` supports an option without one. */
const NEEDS: readonly (readonly [option: keyof ConnectOptions, capability?: Capability])[] = [
  ["origin", "headers"],
  ["pingInterval", "ping"],
  ["maxMessageSize", "messageLimit"],
  ["streamLargerThan", "messageStreams"],
  ["compression", "compressionOptions"],
  ["tls", "tls"],
  ["proxy", "proxy"],
  ["autoPong"],
  ["origin"],
  ["userAgent"],
  ["socketPath"],
  ["localAddress"],
  ["lookup"],
  ["addressDelay"],
  ["onRedirect"],
  ["followRedirects"],
  ["invalidText"],
  ["afterClose"],
  ["onRefusal"],
  ["onPing"],
  ["onPong"],
];

/**
 * Returns the first thing that the options require and a `WebSocket` doesn't support.
 *
 * @param options The options.
 * @param hasHeaders Whether there are header fields to send.
 * @param abilities The abilities of the `WebSocket`.
 * @returns The name of a capability or an option, or `null` when it supports everything.
 */
export function missingFrom(
  options: ConnectOptions,
  hasHeaders: boolean,
  { capabilities, compresses }: SocketAbilities,
): string | null {
  const can: Readonly<Record<string, boolean>> = capabilities;
  return needsOf(options, hasHeaders, compresses).find(([it]) => !can[it])?.[0] ?? null;
}

/** Returns what the options require, in the order of the checks, with the text that names the option. */
function needsOf(
  options: ConnectOptions,
  hasHeaders: boolean,
  compresses: boolean,
): [needed: string, asker: string][] {
  const { require = [], headers, origin } = options;
  const needs = [...require].map((it): [string, string] => [it, `require: ["${it}"]`]);
  const asker = headers !== undefined
    ? "The option headers"
    : origin === undefined
    ? "The user info in the URL"
    : "The option origin";
  if (hasHeaders) needs.push(["headers", asker]);
  for (const [option, capability = option] of NEEDS) {
    if (!isAskedFor(option, options[option], compresses)) continue;
    needs.push([capability, `The option ${option}`]);
  }
  return needs;
}

/**
 * Creates the error for a missing ability: it names the option as the user wrote it, and says what to do.
 *
 * @param missing The name of a capability or an option.
 * @param options The user's options.
 */
export function unsupported(missing: string, options: ConnectOptions): UnsupportedError {
  const transport = `transport: "${missing === "net" ? "net" : "native"}"`;
  const [, asker] = needsOf(options, true, false).find(([it]) => it === missing) ?? ["", transport];
  const hint = `${asker} needs it. ${remedy(missing)}`;
  return new UnsupportedError(missing, platform(), hint);
}

function remedy(missing: string): string {
  if (platform() !== "browser") {
    return missing === "net"
      ? "It needs node:net: Node must be 20.16 or later"
      : 'Use WebSocketChannel.connect with transport: "net"';
  }
  return missing === "headers"
    ? "Authenticate with a subprotocol, a cookie, the URL or the first message instead"
    : "Pages don't support it: leave it out, or connect on Deno, Node or Bun";
}

/** Whether an option requires anything; `false`, 0 and the defaults of `invalidText` and `afterClose` don't. */
function isAskedFor(option: string, value: unknown, compresses: boolean): boolean {
  if (option === "autoPong") return value === false;
  if (option === "compression" && value !== undefined) return value !== true || !compresses;
  // Here 0 requires the most.
  if (option === "streamLargerThan") return value !== undefined && value !== Infinity;
  return value !== undefined && value !== false && value !== 0 && value !== "fail" &&
    value !== "drop";
}
