import { assertEquals } from "@std/assert";
import { inspectAs, shownProtocol } from "../../src/web_socket/inspection.ts";

class Sample {
  readonly shown = 1;
  readonly secret = "secret";
}
inspectAs(Sample.prototype, "Sample", ({ shown }) => ({ shown }));

type Method = (...args: unknown[]) => string;

Deno.test("inspection: each platform's printing of an object shows the chosen properties", () => {
  const sample = new Sample() as unknown as Record<symbol, Method>;
  const print = (value: unknown, options: unknown): string => JSON.stringify([value, options]);
  const node = sample[Symbol.for("nodejs.util.inspect.custom")]?.(2, { a: 1 }, print);
  assertEquals(node, 'Sample [{"shown":1},{"a":1}]');
  const deno = sample[Symbol.for("Deno.customInspect")]?.(print, { a: 1 });
  assertEquals(deno, 'Sample [{"shown":1},{"a":1}]');
  assertEquals(Object.keys(sample), ["shown", "secret"]);
});

Deno.test("inspection: it shows only the length of a subprotocol", () => {
  assertEquals([shownProtocol(null), shownProtocol("v2"), shownProtocol("graphql-ws")], [
    null,
    "… (2 characters)",
    "… (10 characters)",
  ]);
});
