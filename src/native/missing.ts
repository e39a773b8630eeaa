import type { Capabilities, Capability } from "../web_socket/capabilities.ts";
import { UnsupportedError } from "../web_socket/errors.ts";
import type { ConnectOptions } from "../web_socket/options.ts";
import { platform } from "../web_socket/platform.ts";

/** The abilities of a `WebSocket` that options ask for. */
export interface SocketAbilities {
  readonly capabilities: Capabilities;
  /** Whether it offers permessage-deflate by itself. */
  readonly compresses: boolean;
}

/** The options that need a capability, and which; an option without one no platform's `WebSocket` has. */
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
 * The first thing that the options ask for and a `WebSocket` can't do.
 *
 * @param options What is asked for.
 * @param hasHeaders Whether there are header fields to send.
 * @param abilities What the `WebSocket` can do.
 * @returns The name of a capability or an option, or `null` when it can do everything.
 */
export function missingFrom(
  options: ConnectOptions,
  hasHeaders: boolean,
  { capabilities, compresses }: SocketAbilities,
): string | null {
  const can: Readonly<Record<string, boolean>> = capabilities;
  return needsOf(options, hasHeaders, compresses).find(([it]) => !can[it])?.[0] ?? null;
}

/** What options ask for, in the order in which it is looked at, and what asks for it. */
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
 * The error of what is missing: it names what asked for it, as it was written, and what to do instead.
 *
 * @param missing The name of a capability or an option.
 * @param options What was asked for.
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
    : "A page can't have it: leave it out, or connect on Deno, Node or Bun";
}

/** `false`, 0 and the defaults of `invalidText` and `afterClose` ask for nothing. */
function isAskedFor(option: string, value: unknown, compresses: boolean): boolean {
  if (option === "autoPong") return value === false;
  if (option === "compression" && value !== undefined) return value !== true || !compresses;
  // Of this one it is 0 that asks for most.
  if (option === "streamLargerThan") return value !== undefined && value !== Infinity;
  return value !== undefined && value !== false && value !== 0 && value !== "fail" &&
    value !== "drop";
}
