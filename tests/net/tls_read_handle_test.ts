import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { resetTcp, tlsReadHandle } from "../../src/net/tls_read_handle.ts";
import { platform } from "../../src/web_socket/platform.ts";

const isDeno = platform() === "deno";

function handle(): { readStart(): void; readStop(): void } {
  return { readStart() {}, readStop() {} };
}

Deno.test("handle below: a Deno TLS socket uses the handle of the lowest connection", () => {
  const bottom = { _handle: handle(), _parent: null };
  const middle = { _handle: handle(), _parent: bottom };
  for (const parent of [bottom, middle]) {
    const found = tlsReadHandle({ _handle: handle(), _parent: parent });
    assertStrictEquals(found, isDeno ? bottom._handle : null);
  }
});

Deno.test("handle below: without a known lower handle, the socket only pauses", () => {
  const sockets = [
    {},
    { _handle: handle() },
    { _handle: handle(), _parent: null },
    { _handle: handle(), _parent: {} },
    { _handle: handle(), _parent: { _handle: null } },
    { _handle: handle(), _parent: { _handle: {} } },
    { _handle: handle(), _parent: { _handle: { readStart() {} } } },
  ];
  assertEquals(sockets.map(tlsReadHandle), sockets.map(() => null));
});

Deno.test("reset below: resets the lowest connection, and does nothing without one", () => {
  const calls: string[] = [];
  const layer = (name: string, parent: object | null): object => ({
    _parent: parent,
    resetAndDestroy: () => void calls.push(name),
  });
  resetTcp(layer("top", layer("middle", layer("bottom", null))));
  resetTcp(layer("alone", null));
  assertEquals(calls, ["bottom", "alone"]);
  resetTcp({});
  resetTcp({ resetAndDestroy: () => assert(false, "ERR_INVALID_HANDLE_TYPE") });
});
