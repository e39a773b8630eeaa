import { assertEquals } from "@std/assert";
import { platform } from "../../src/web_socket/platform.ts";

/** Runs `body` with replaced globals; `undefined` hides a global. */
function withGlobals(values: Record<string, unknown>, body: () => void): void {
  const originals = Object.keys(values).map((name) =>
    [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const
  );
  try {
    for (const [name, value] of Object.entries(values)) {
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    }
    body();
  } finally {
    for (const [name, original] of originals) {
      Reflect.deleteProperty(globalThis, name);
      if (original !== undefined) Object.defineProperty(globalThis, name, original);
    }
  }
}

const DENO = { version: { deno: "2.0.0" } };
const BUN = { version: "1.0.0" };
const NODE = { versions: { node: "20.0.0" } };

// Some runtimes do not allow hiding their own globals. The other platforms are not tested there.
const hidable = ["Deno", "Bun"].every((name) =>
  Object.getOwnPropertyDescriptor(globalThis, name)?.configurable !== false
);

Deno.test("platform: each is detected by its own global; Deno and Bun have Node's as well", {
  ignore: !hidable,
}, () => {
  for (
    const [Deno, Bun, process, expected] of [
      [DENO, undefined, NODE, "deno"],
      [undefined, BUN, NODE, "bun"],
      [undefined, undefined, NODE, "node"],
      [undefined, undefined, undefined, "browser"],
    ] as const
  ) {
    withGlobals({ Deno, Bun, process }, () => assertEquals(platform(), expected));
  }
});

Deno.test(
  "platform: a polyfill of a global does not identify the platform",
  { ignore: !hidable },
  () => {
    withGlobals({ Deno: {}, Bun: {}, process: { env: {} } }, () => {
      assertEquals(platform(), "browser");
    });
    withGlobals({ Deno: { test: () => {} }, Bun: undefined, process: NODE }, () => {
      assertEquals(platform(), "node");
    });
    withGlobals({ Deno: { version: {} }, Bun: undefined, process: { versions: {} } }, () => {
      assertEquals(platform(), "browser");
    });
  },
);
