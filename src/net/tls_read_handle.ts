import { platform } from "../web_socket/platform.ts";

/** The handle with which a runtime reads from a connection. */
export interface Handle {
  readStart(): unknown;
  readStop(): unknown;
}

interface Layer {
  readonly _parent?: Layer | null;
  readonly _handle?: Partial<Handle> | null;
  resetAndDestroy?(): unknown;
}

/**
 * Returns the handle that must be stopped together with a TLS socket. A paused TLS socket of Deno emits nothing, but
 * keeps reading from the TCP connection below and buffers without a limit, so its peer would never have to stop.
 *
 * @param socket A socket.
 * @returns The handle of the TCP connection below, or `null` if pausing the socket is enough.
 */
export function tlsReadHandle(socket: unknown): Handle | null {
  if (platform() !== "deno") return null;
  if (!(socket as Layer)._parent) return null;
  const { _handle: handle } = bottomOf(socket as Layer);
  if (typeof handle?.readStart !== "function" || typeof handle.readStop !== "function") return null;
  return handle as Handle;
}

/**
 * Resets the TCP connection below a socket (RFC 9293 §3.10.5), so that the system drops unsent data. After `destroy()`
 * alone, the system would keep offering the data for minutes to a peer that takes nothing.
 *
 * @param socket A socket; any other value is ignored.
 */
export function resetTcp(socket: object): void {
  try {
    bottomOf(socket).resetAndDestroy?.();
  } catch {
    // Some sockets, such as Unix sockets, can't be reset.
  }
}

function bottomOf(socket: Layer): Layer {
  let layer = socket;
  for (let below = layer._parent; below; below = below._parent) layer = below;
  return layer;
}
