import { platform } from "../web_socket/platform.ts";

/** What a runtime reads from a connection with. */
export interface Handle {
  readStart(): unknown;
  readStop(): unknown;
}

interface Layer {
  readonly _parent?: Layer | null;
  readonly _handle?: Partial<Handle> | null;
}

/**
 * What has to be stopped beside a TLS socket so that nothing more is read. A TLS socket of Deno's that
 * is paused tells nothing, but goes on reading from the connection below, and keeps what it read,
 * without bounds: its peer would never be stopped.
 *
 * @param socket A socket.
 * @returns The handle of the connection at the bottom, or `null` where pausing the socket is enough.
 */
export function handleBelow(socket: unknown): Handle | null {
  if (platform() !== "deno") return null;
  let layer = (socket as Layer)._parent ?? null;
  if (layer === null) return null;
  for (let below = layer._parent; below; below = below._parent) layer = below;
  const { _handle: handle } = layer;
  if (typeof handle?.readStart !== "function" || typeof handle.readStop !== "function") return null;
  return handle as Handle;
}
