import { assertEquals } from "@std/assert";
import { SilentSockets } from "../../src/server/silent_sockets.ts";
import type { UpgradeSocket } from "../../src/server/upgrade_socket.ts";

/** A socket with a remote address. */
class FakeSocket {
  destroyed = false;
  readonly remoteAddress: string | undefined;

  constructor(remoteAddress: string | undefined) {
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    this.destroyed = true;
  }
}

function started(max: number, maxPerAddress: number | null = null) {
  const silent = new SilentSockets({ max, maxPerAddress });
  const add = (address?: string): FakeSocket & UpgradeSocket => {
    const socket = new FakeSocket(address) as unknown as FakeSocket & UpgradeSocket;
    silent.add(socket);
    return socket;
  };
  return { silent, add };
}

Deno.test("silent sockets: close the oldest above the limit, and keep those that have sent a request", () => {
  const { silent, add } = started(3);
  const [asking, oldest, second] = [add(), add(), add()];
  silent.heard(asking);
  silent.heard(asking);
  assertEquals(silent.size, 2);
  const third = add();
  assertEquals([silent.size, silent.dropped], [3, 0]);
  add();
  assertEquals([oldest, second, third, asking].map((it) => it.destroyed), [
    true,
    false,
    false,
    false,
  ]);
  assertEquals([silent.size, silent.dropped], [3, 1]);
  silent.heard(second);
  assertEquals([silent.size, silent.dropped], [2, 1]);
});

Deno.test("silent sockets: limit each address, and free its place when a socket sends a request or leaves", () => {
  const { silent, add } = started(100, 2);
  const [first, second] = [add("192.0.2.1"), add("::ffff:192.0.2.1")];
  assertEquals(add("192.0.2.1").destroyed, true);
  assertEquals([add("192.0.2.2").destroyed, add("2001:db8::1").destroyed], [false, false]);
  assertEquals([add("2001:db8::2").destroyed, add("2001:db8::3").destroyed], [false, true]);
  silent.heard(first);
  assertEquals([add("192.0.2.1").destroyed, add("192.0.2.1").destroyed], [false, true]);
  silent.heard(second);
  assertEquals([add("192.0.2.1").destroyed, silent.dropped], [false, 3]);
  // Unix sockets and reset connections have no address.
  for (let i = 0; i < 5; i++) assertEquals(add().destroyed, false);
});

Deno.test("silent sockets: don't add a closed socket", () => {
  const { silent } = started(1);
  const dead = new FakeSocket("192.0.2.1");
  dead.destroyed = true;
  silent.add(dead as unknown as UpgradeSocket);
  assertEquals(silent.size, 0);
});
