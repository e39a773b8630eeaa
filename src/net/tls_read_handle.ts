import { platform } from "../web_socket/platform.ts";

/** What a runtime reads from a connection with. */
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
 * What has to be stopped beside a TLS socket so that nothing more is read. A TLS socket of Deno's that
 * is paused tells nothing, but goes on reading from the connection below, and keeps what it read,
 * without bounds: its peer would never be stopped.
 *
 * @param socket A socket.
 * @returns The handle of the connection at the bottom, or `null` where pausing the socket is enough.
 */
export function tlsReadHandle(socket: unknown): Handle | null {
  if (platform() !== "deno") return null;
  if (!(socket as Layer)._parent) return null;
  const { _handle: handle } = bottomOf(socket as Layer);
  if (typeof handle?.readStart !== "function" || typeof handle.readStop !== "function") return null;
  return handle as Handle;
}

/**
 * Resets the TCP connection at the bottom of a socket (RFC 9293 §3.10.5): the system keeps nothing of what it hasn't
 * sent. After a mere `destroy()` it would go on offering that to a peer that takes nothing, for minutes.
 *
 * @param socket A socket; one of another kind is left as it is.
 */
export function resetTcp(socket: object): void {
  try {
    bottomOf(socket).resetAndDestroy?.();
  } catch {
    // A Unix socket, say, has no reset.
  }
}

function bottomOf(socket: Layer): Layer {
  let layer = socket;
  for (let below = layer._parent; below; below = below._parent) layer = below;
  return layer;
}
