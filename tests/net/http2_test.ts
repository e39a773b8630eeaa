import { assertEquals, assertThrows } from "@std/assert";
import {
  destroyLater,
  http2Module,
  type Http2Session,
  type Http2Stream,
  isResetHere,
  resetStream,
  shownCode,
  widenWindow,
} from "../../src/net/http2.ts";
import { UnsupportedError } from "../../src/net/mod.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { turn } from "../support/turns.ts";

Deno.test("http2Module: throws an UnsupportedError on a runtime without node:http2", () => {
  const { process } = globalThis as { process: { getBuiltinModule?: unknown } };
  const { getBuiltinModule } = process;
  process.getBuiltinModule = () => undefined;
  try {
    assertThrows(() => http2Module(), UnsupportedError, "node:http2");
  } finally {
    process.getBuiltinModule = getBuiltinModule;
  }
  assertEquals(typeof http2Module().connect, "function");
});

Deno.test("shownCode: returns a name and the number, or the number alone", () => {
  assertEquals([0, 11, 13, 14].map(shownCode), [
    "NO_ERROR (0)",
    "ENHANCE_YOUR_CALM (11)",
    "HTTP_1_1_REQUIRED (13)",
    "14",
  ]);
});

Deno.test("resetStream: resets once, and records which side reset the stream", () => {
  const calls: unknown[] = [];
  const stream = {
    destroyed: false,
    close: (code: number) => calls.push(code),
    destroy() {
      calls.push("destroy");
      stream.destroyed = true;
    },
  };
  const other = { ...stream } as unknown as Http2Stream;
  resetStream(stream as unknown as Http2Stream, 8);
  resetStream(stream as unknown as Http2Stream, 8);
  assertEquals(calls, [8, "destroy"]);
  assertEquals([stream as unknown as Http2Stream, other].map(isResetHere), [true, false]);
});

Deno.test("destroyLater: destroys a session once, on Deno a turn later", async () => {
  const reasons: unknown[][] = [];
  const session = { destroy: (...reason: unknown[]) => void reasons.push(reason) };
  destroyLater(session as unknown as Http2Session);
  destroyLater(session as unknown as Http2Session);
  session.destroy(undefined, 11);
  const isLater = platform() === "deno";
  assertEquals(reasons, isLater ? [] : [[undefined, 11]]);
  if (isLater) session.destroy();
  await turn();
  assertEquals(reasons, [[undefined, 11]]);
});

Deno.test("widenWindow: widens the session's window to 16 MiB, on Bun to the stream's window", () => {
  const sizes: number[] = [];
  let onSettings = (_settings: object): void => {};
  const setLocalWindowSize = (size: number): void => void sizes.push(size);
  const on = (event: string, listener: () => void): void => {
    if (event === "localSettings") onSettings = listener;
  };
  const widened = (session: object): void => widenWindow({ on, ...session } as Http2Session);
  widened({ setLocalWindowSize });
  onSettings({ initialWindowSize: 0x8_0000 });
  widened({ setLocalWindowSize, localSettings: { initialWindowSize: 0x4_0000 } });
  widened({ setLocalWindowSize, destroyed: true });
  widened({});
  assertEquals(
    sizes,
    platform() === "bun" ? [0xffff, 0x8_0000, 0x4_0000] : [0x100_0000, 0x100_0000],
  );
});
