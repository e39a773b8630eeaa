import { assertEquals, assertStringIncludes } from "@std/assert";
import { type ErrorContext, report } from "../../src/server/error_hook.ts";
import { UpgradeServerRequest } from "../../src/server/server_request.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { printedBy } from "../support/printed.ts";

function request(): UpgradeServerRequest {
  const remote = { scheme: "ws", address: null, port: null, isLocal: true } as const;
  return new UpgradeServerRequest("/", ["Host", "a"], remote);
}

const printed = (body: () => void): Promise<unknown[][]> => printedBy(() => assertNoUncaught(body));

Deno.test("the server passes an error to the hook with its context, or prints it without a hook", async () => {
  const seen: [unknown, ErrorContext][] = [];
  const context = { where: "verify", request: request() };
  const lines = await printed(() => {
    report((error, it) => seen.push([error, it]), "x", context);
    report(undefined, "y", { where: "listen", request: null });
  });
  assertEquals(seen.length, 1);
  assertEquals([seen[0]?.[0], seen[0]?.[1].where], ["x", "verify"]);
  assertEquals(lines, [["WebSocket server: listen failed:", "y"]]);
});

Deno.test("the server prints the error of a hook that throws or rejects, and nothing else fails", async () => {
  const fault = new Error("the hook's");
  const hooks: (() => void)[] = [
    () => {
      throw fault;
    },
    () => Promise.reject(fault),
  ];
  for (const hook of hooks) {
    const lines = await printed(() => report(hook, "x", { where: "verify", request: null }));
    assertEquals(lines.length, 1);
    assertStringIncludes(String(lines[0]?.[0]), "onError");
    assertEquals(lines[0]?.[1], fault);
  }
});

Deno.test("the server doesn't report errors caused by a client that has left", async () => {
  const gone = request();
  gone.giveUp();
  const seen: unknown[] = [];
  const lines = await printed(() => {
    for (const error of [gone.signal.reason, new DOMException("x", "AbortError"), null, "other"]) {
      report((it) => seen.push(it), error, { where: "verify", request: gone });
    }
    report((it) => seen.push(it), new DOMException("y", "AbortError"), {
      where: "verify",
      request: request(),
    });
  });
  assertEquals(seen.map(String), ["null", "other", "AbortError: y"]);
  assertEquals(lines, []);
});

Deno.test("attack 71: a value that can't be read or printed breaks nothing", async () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const throwing = (): never => {
    throw new Error("its own");
  };
  const keys = ["nodejs.util.inspect.custom", "Deno.customInspect"].map((it) => Symbol.for(it));
  const uninspected = Object.fromEntries(keys.map((it) => [it, throwing]));
  const gone = request();
  gone.giveUp();
  const { console } = globalThis;
  const { error: before } = console;
  const printed: unknown[] = [];
  // The runtimes' own functions also throw for some of these.
  console.error = (...values: unknown[]) => {
    if (typeof values[1] === "object") throwing();
    printed.push(values[1]);
  };
  try {
    await assertNoUncaught(() => {
      for (const error of [proxy, uninspected]) {
        for (const about of [gone, null]) {
          report(undefined, error, { where: "verify", request: about });
        }
        report(() => Promise.reject(error), "x", { where: "verify", request: null });
      }
    });
  } finally {
    console.error = before;
  }
  assertEquals(printed, Array(6).fill("an error that can't be printed"));
});
