import { assertEquals, assertStrictEquals } from "@std/assert";
import { Connections } from "../../src/server/connections.ts";
import type { UpgradeSocket } from "../../src/server/upgrade_socket.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

/** A socket with a remote address, which counts the listeners for its end. */
class FakeSocket {
  destroyed = false;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly listeners: Set<(this: object) => void> = new Set();

  constructor(remoteAddress?: string, remotePort?: number) {
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
  }

  on(_event: string, listener: (this: object) => void): void {
    this.listeners.add(listener);
  }

  removeListener(_event: string, listener: (this: object) => void): void {
    this.listeners.delete(listener);
  }

  destroy(): void {
    this.destroyed = true;
    for (const listener of [...this.listeners]) listener.call(this);
  }
}

function started(handshakeTimeout = 100, secure = false) {
  const clock = new ManualClock();
  let closed = 0;
  const onClose = (): number => closed++;
  const connections = new Connections({ clock, handshakeTimeout, secure, onClose });
  const add = (...from: [string?, number?]): FakeSocket & UpgradeSocket => {
    const socket = new FakeSocket(...from) as unknown as FakeSocket & UpgradeSocket;
    connections.add(socket);
    return socket;
  };
  return { clock, connections, add, closed: () => closed };
}

Deno.test("connections: destroy a socket that sends no request in time, and leave no timer", () => {
  const { clock, connections, add, closed } = started();
  const silent = add("127.0.0.1", 1);
  const asking = add("127.0.0.1", 2);
  assertStrictEquals(connections.heard(asking)?.socket, asking);
  clock.advance(100);
  assertEquals([silent.destroyed, asking.destroyed, closed()], [true, false, 1]);
  assertEquals([...connections].map(({ socket }) => socket), [asking]);
  assertEquals(clock.pending, 0);
});

Deno.test("connections: sockets that were reset before the first read don't replace each other", () => {
  const { clock, connections, add, closed } = started(100, true);
  const all = [add(), add(), add()];
  assertEquals([...connections].length, 3);
  for (const socket of all) socket.destroy();
  connections.stop();
  assertEquals([[...connections].length, closed(), clock.pending], [0, 3, 0]);
  assertEquals(connections.heard(new FakeSocket() as unknown as UpgradeSocket), undefined);
});

Deno.test("connections: a socket with the same address replaces the accepted one, as with TLS", () => {
  const { clock, connections, add } = started(100, true);
  const accepted = add("127.0.0.1", 1);
  const connection = connections.heard(
    new FakeSocket("127.0.0.1", 1) as unknown as UpgradeSocket,
  );
  assertStrictEquals(connection?.socket, accepted);
  connections.remove(new FakeSocket("127.0.0.1", 1) as unknown as UpgradeSocket);
  connections.stop();
  assertEquals([[...connections].length, accepted.listeners.size, clock.pending], [0, 0, 0]);
  assertEquals(connection !== undefined && connections.has(connection), false);
});

Deno.test("connections: don't add a closed socket; start no timer without a timeout", () => {
  const { clock, connections, add } = started(0);
  const dead = new FakeSocket("127.0.0.1", 1);
  dead.destroyed = true;
  connections.add(dead as unknown as UpgradeSocket);
  assertEquals([...connections].length, 0);
  const connection = connections.heard(add("127.0.0.1", 2));
  assertEquals([connection?.unanswered, clock.pending], [0, 0]);
});
