/** Runs one attempt of a case, and collects what the user sees. */

import WebSocket from "ws";
import { ConnectError, WebSocketChannel } from "../../mod.ts";
import type { Authorities, FailingConnect } from "./cases.ts";

/** The client: our own transport, the platform's `WebSocket` through a channel, or npm `ws`. */
export type Via = "net" | "native" | "ws";

/** The result of an attempt. */
export interface Seen {
  readonly name: string;
  /** The error's text; `null` when the connection opened. */
  readonly text: string | null;
  readonly phase: string | null;
  readonly status: number | null;
  /** `null` if the error has none. */
  readonly retryable: boolean | null;
  readonly retryAfter: number | null;
  /** The text and the code that the platform reported. */
  readonly reported: string;
  /** The attempt's duration in milliseconds. */
  readonly time: number;
}

/**
 * Runs an attempt.
 *
 * @param it The case to run.
 * @param via The client.
 * @param authorities The authorities that sign the certificates.
 */
export async function attempt(
  it: FailingConnect,
  via: Via,
  authorities: Authorities,
): Promise<Seen> {
  const server = await it.start(authorities);
  const { url, options } = server;
  const ca = authorities.trusted.cert;
  const start = performance.now();
  try {
    const error = await (via === "ws" ? failureOfWs(url, options, ca) : failure(url, {
      ...options,
      transport: via,
      ...(via === "net" && it.needsTrust ? { tls: { ca } } : {}),
    }));
    return { name: it.name, ...told(error, url), time: Math.round(performance.now() - start) };
  } finally {
    await server.close();
  }
}

type Options = NonNullable<Parameters<typeof WebSocketChannel.connect>[1]>;

async function failure(url: string, options: Options): Promise<unknown> {
  const channel = WebSocketChannel.connect(url, options);
  const error = await channel.ready.then(() => null, (it: unknown) => it);
  channel.terminate();
  return error;
}

function failureOfWs(url: string, options: Options, ca: string): Promise<unknown> {
  return new Promise((resolve) => {
    const { protocols = [], connectTimeout } = options;
    const socket = new WebSocket(url, protocols as string[], {
      ca,
      ...(connectTimeout === undefined ? {} : { handshakeTimeout: connectTimeout }),
    });
    socket.on("error", resolve);
    socket.on("open", () => {
      socket.terminate();
      resolve(null);
    });
  });
}

function told(error: unknown, url: string): Omit<Seen, "name" | "time"> {
  const { message = null, code, cause } = (error ?? {}) as Partial<Error> & { code?: unknown };
  const text = message === null ? null : plain(message, url);
  const suffix = typeof code === "string" ? ` (${code})` : "";
  if (!(error instanceof ConnectError)) {
    const nothing = { phase: null, status: null, retryable: null, retryAfter: null };
    return { text: text === null ? null : text + suffix, ...nothing, reported: "" };
  }
  const { phase, status, retryable, retryAfter } = error;
  const report = plain(String((cause as Partial<Error> | undefined)?.message ?? ""), url);
  return { text, phase, status, retryable, retryAfter, reported: report };
}

/** Removes what differs on each run: ports, dates, memory addresses. */
function plain(message: string, url: string): string {
  const { port } = new URL(url);
  const named = port === "" ? message : message.replaceAll(`:${port}`, ":8080");
  return named
    .replace(/(127\.0\.0\.1):(?!8080\b)\d+/g, "$1:3128")
    .replace(/\b\d{6,}\b/g, "…")
    .replace(/^[0-9A-F]{16}:/, "…:")
    .trim();
}
