/** Where work goes on that would otherwise hold up the event loop. */

/** What is used of the global object. */
export interface TurnGlobals {
  readonly Deno?: { readonly version?: { readonly deno?: string } } | undefined;
  readonly setTimeout: (callback: () => void, ms: number) => unknown;
  readonly clearTimeout: (handle: unknown) => void;
  readonly setImmediate?: ((callback: () => void) => unknown) | undefined;
  readonly clearImmediate?: ((handle: unknown) => void) | undefined;
  readonly MessageChannel?: typeof MessageChannel | undefined;
}

/**
 * Calls back, once, in a later turn of the event loop: timers and sockets get their share before that.
 *
 * @returns Forgets the callback.
 */
export type NextTurn = (callback: () => void) => () => void;

/** The platform's way into a later turn. */
export const nextTurn: NextTurn = chooseNextTurn(globalThis as unknown as TurnGlobals);

/**
 * Calls back when this turn of the event loop has ended: behind all microtasks, and what they lead to.
 * Unlike {@linkcode nextTurn} it need not leave sockets their share.
 */
export const afterTurn: NextTurn = chooseNextTurn({
  ...usedOf(globalThis as unknown as TurnGlobals),
  Deno: undefined,
});

/** Deno polls its sockets at least once in so many rounds of its event loop. */
const DENO_ROUNDS = 64;

/**
 * Calls back, once, when timers and sockets have had their share. It leaves no timer behind, which
 * Deno would report in a test, and can't be cancelled.
 *
 * @param callback Called once.
 * @param rounds How many rounds of the event loop to wait for.
 */
export function afterOthers(
  callback: () => void,
  rounds: number = isDeno(globalThis as unknown as TurnGlobals) ? DENO_ROUNDS : 1,
): void {
  afterTurn(rounds <= 1 ? callback : () => afterOthers(callback, rounds - 1));
}

function isDeno({ Deno }: TurnGlobals): boolean {
  return typeof Deno?.version?.deno === "string";
}

/**
 * Chooses the fastest way into a later turn.
 *
 * Deno polls its sockets only when it has nothing else to do, and an immediate is something to do:
 * a timer is the only way there that leaves sockets their share. In browsers nested timers take four
 * milliseconds, and a message to oneself takes none.
 *
 * @param globals The global object. What is used of it is read once.
 * @returns The way.
 */
export function chooseNextTurn(globals: TurnGlobals): NextTurn {
  const { setTimeout, clearTimeout, setImmediate, clearImmediate, MessageChannel } = globals;
  const usesTimer = isDeno(globals);
  if (!usesTimer && setImmediate !== undefined) {
    return (callback) => {
      const handle = setImmediate(callback);
      return () => clearImmediate?.(handle);
    };
  }
  if (!usesTimer && MessageChannel !== undefined) return byMessages(MessageChannel);
  return (callback) => {
    const handle = setTimeout(callback, 0);
    return () => clearTimeout(handle);
  };
}

function usedOf(globals: TurnGlobals): TurnGlobals {
  const { setTimeout, clearTimeout, setImmediate, clearImmediate, MessageChannel } = globals;
  return { setTimeout, clearTimeout, setImmediate, clearImmediate, MessageChannel };
}

/** One port for all callbacks. */
function byMessages(Channel: typeof MessageChannel): NextTurn {
  const callbacks = new Set<() => void>();
  let port: MessagePort | null = null;
  return (callback) => {
    const once = (): void => callback();
    callbacks.add(once);
    port ??= portTo(new Channel(), () => callFirst(callbacks));
    port.postMessage(null);
    return () => void callbacks.delete(once);
  };
}

function callFirst(callbacks: Set<() => void>): void {
  for (const callback of callbacks) {
    callbacks.delete(callback);
    return callback();
  }
}

function portTo({ port1, port2 }: MessageChannel, onMessage: () => void): MessagePort {
  port1.onmessage = onMessage;
  return port2;
}
