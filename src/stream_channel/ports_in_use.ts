import { invalidState } from "./errors.ts";

/**
 * What a port is used for. A channel uses it until it ends; `receiving` waits for another port;
 * `received` and `sent` have connected a channel over another port, which happens once.
 */
export type PortUse = "channel" | "receiving" | "received" | "sent";

/** What stands in the way of a new use. */
const CONFLICTS: Readonly<Record<Exclude<PortUse, "received">, readonly PortUse[]>> = {
  channel: ["channel", "receiving"],
  receiving: ["channel", "receiving", "received"],
  sent: ["channel", "sent"],
};

const WHAT: Readonly<Record<PortUse, string>> = {
  channel: "a channel already uses this port",
  receiving: "connectReceive already waits for a message on this port",
  received: "connectReceive was already called with this port",
  sent: "connectSend was already called with this port",
};

const usesOf = new WeakMap<object, Set<PortUse>>();

/**
 * Takes a port for one use.
 *
 * @throws {DOMException} `InvalidStateError` when another use stands in the way: each of the two would
 * get the other's messages.
 */
export function takePort(port: object, use: keyof typeof CONFLICTS): void {
  const uses = usesOf.get(port) ?? new Set();
  for (const other of CONFLICTS[use]) {
    if (uses.has(other)) throw invalidState(`Cannot open a channel: ${WHAT[other]}`);
  }
  usesOf.set(port, uses.add(use));
}

/**
 * Takes a port for one use, and begins that. When beginning throws, the port is free again.
 *
 * @throws {DOMException} `InvalidStateError` as {@linkcode takePort}.
 */
export function beginUse<T>(port: object, use: keyof typeof CONFLICTS, begin: () => T): T {
  takePort(port, use);
  try {
    return begin();
  } catch (error) {
    releasePort(port, use);
    throw error;
  }
}

/** Ends a use of a port; `next` follows it. */
export function releasePort(port: object, use: PortUse, next?: PortUse): void {
  const uses = usesOf.get(port);
  uses?.delete(use);
  if (next !== undefined) uses?.add(next);
}
