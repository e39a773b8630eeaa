/** One attempt of a case, and what it reports to the user. */

import WebSocket from "ws";
import { ConnectError, WebSocketChannel } from "../../mod.ts";
import type { Authorities, FailingConnect } from "./cases.ts";

/** What connects: our own transport, the platform's `WebSocket` through a channel, or npm `ws`. */
export type Via = "net" | "native" | "ws";

/** What is seen of an attempt. */
export interface Seen {
  readonly name: string;
  /** What the user reads; `null` when the connection opened. */
  readonly text: string | null;
  readonly phase: string | null;
  readonly status: number | null;
  /** `null` where there is nothing of the kind. */
  readonly retryable: boolean | null;
  readonly retryAfter: number | null;
  /** What the platform reported: its text, and its code. */
  readonly reported: string;
  /** How long it took, in milliseconds. */
  readonly time: number;
}

/**
 * Makes an attempt.
 *
 * @param it The case.
 * @param via What connects.
 * @param authorities What the certificates are made with.
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

/** Without what differs each time: ports, dates, addresses in memory. */
function plain(message: string, url: string): string {
  const { port } = new URL(url);
  const named = port === "" ? message : message.replaceAll(`:${port}`, ":8080");
  return named
    .replace(/(127\.0\.0\.1):(?!8080\b)\d+/g, "$1:3128")
    .replace(/\b\d{6,}\b/g, "…")
    .replace(/^[0-9A-F]{16}:/, "…:")
    .trim();
}
