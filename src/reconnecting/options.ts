import { checkOption, type OptionKinds, readOptions, shown } from "../stream_channel/options.ts";
import { parseUrl } from "../web_socket/connect_url.ts";
import { checkWhole, CONNECT_KINDS, type ConnectOptions } from "../web_socket/options.ts";
import type {
  HeartbeatOptions,
  ReconnectingOptions,
  TargetAddress,
  TargetOptions,
} from "./reconnecting_channel.ts";

const OPTION_KINDS: OptionKinds<ReconnectingOptions> = {
  onState: "function",
  signal: "AbortSignal",
  firstDelay: "time",
  maxDelay: "time",
  minUptime: "time",
  retry: "function",
  whileAway: '"queue"|"drop"|"reject"',
  maxBuffer: "size",
  connectTimeout: "time",
  closeTimeout: "time",
  heartbeat: "object",
  resume: "object",
  clock: "object",
  random: "function",
};

const HEARTBEAT_KINDS: OptionKinds<HeartbeatOptions> = {
  interval: "time",
  timeout: "time",
  message: "function",
  isReply: "function",
};

const TARGET_KINDS: OptionKinds<TargetOptions> = { ...CONNECT_KINDS, url: "string|URL" };

/**
 * Reads and checks the options of a channel.
 *
 * @throws {TypeError | RangeError} When one of them is malformed.
 */
export function readReconnectingOptions(
  given: ReconnectingOptions | undefined,
): ReconnectingOptions {
  const elsewhere = {
    known: TARGET_KINDS,
    hint: ". It belongs to the target: connect({ url, … }, options)",
  };
  const options = readOptions(given, OPTION_KINDS, { elsewhere });
  const { heartbeat, resume } = options;
  if (resume !== undefined) checkOption("resume.createLine", resume.createLine, "function");
  return heartbeat === undefined ? options : { ...options, heartbeat: readHeartbeat(heartbeat) };
}

/**
 * Converts an address to options.
 *
 * @throws {SyntaxError | TypeError | RangeError} When it is no address, or malformed.
 */
export function readAddress(address: TargetAddress): TargetOptions {
  const isUrl = typeof address === "string" || Object(address) === address && "href" in address;
  if (!isUrl && (typeof address !== "object" || address === null)) throw noTarget(address);
  const options = readOptions<TargetOptions>(
    isUrl ? { url: address as string | URL } : address as TargetOptions,
    TARGET_KINDS,
    {
      elsewhere: {
        known: OPTION_KINDS,
        hint: ". It belongs to the second argument: connect(target, { … })",
      },
    },
  );
  if (options.url === undefined) throw noTarget(address);
  checkWhole(options as ConnectOptions, "a channel that reconnects delivers");
  parseUrl(options.url);
  return options;
}

function readHeartbeat(given: HeartbeatOptions): HeartbeatOptions {
  const heartbeat = readOptions(given, HEARTBEAT_KINDS, { within: "heartbeat." });
  for (const name of ["interval", "timeout", "message"] as const) {
    checkOption(`heartbeat.${name}`, heartbeat[name], HEARTBEAT_KINDS[name]);
  }
  return heartbeat;
}

function noTarget(target: unknown): TypeError {
  const wanted = "a URL, an object with a url, or a WebSocketChannel";
  return new TypeError(
    `Cannot connect: the target must be or return ${wanted}, got ${shown(target)}`,
  );
}
