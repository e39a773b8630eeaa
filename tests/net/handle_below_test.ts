import { assertEquals, assertStrictEquals } from "@std/assert";
import { handleBelow } from "../../src/net/handle_below.ts";
import { platform } from "../../src/web_socket/platform.ts";

const isDeno = platform() === "deno";

function handle(): { readStart(): void; readStop(): void } {
  return { readStart() {}, readStop() {} };
}

Deno.test("handle below: of a TLS socket of Deno's, that of the connection at the bottom", () => {
  const bottom = { _handle: handle(), _parent: null };
  const middle = { _handle: handle(), _parent: bottom };
  for (const parent of [bottom, middle]) {
    const found = handleBelow({ _handle: handle(), _parent: parent });
    assertStrictEquals(found, isDeno ? bottom._handle : null);
  }
});

Deno.test("handle below: where nothing is below, or it is gone or unknown, pausing is all", () => {
  const sockets = [
    {},
    { _handle: handle() },
    { _handle: handle(), _parent: null },
    { _handle: handle(), _parent: {} },
    { _handle: handle(), _parent: { _handle: null } },
    { _handle: handle(), _parent: { _handle: {} } },
    { _handle: handle(), _parent: { _handle: { readStart() {} } } },
  ];
  assertEquals(sockets.map(handleBelow), sockets.map(() => null));
});
