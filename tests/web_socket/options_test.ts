import { assertEquals, assertThrows } from "@std/assert";
import {
  checkPings,
  CONNECT_KINDS,
  type ConnectOptions,
  readClientKinds,
  readFromOptions,
} from "../../src/web_socket/options.ts";
import { readConnectOptions } from "../../src/web_socket/read_options.ts";

const readKinds = (options: unknown): ConnectOptions =>
  readClientKinds(options as ConnectOptions, CONNECT_KINDS);

Deno.test("kinds of options: unknown, mistyped and out-of-range options cause the same error as in readConnectOptions", () => {
  const wrong: unknown[] = [
    { nonsense: 1 },
    { headers: 1 },
    { connectTimeout: -1 },
    { pingTimeout: 1 },
    "v1",
  ];
  for (const options of wrong) {
    const thrown = (read: (options: unknown) => unknown): string => {
      try {
        read(options);
        return "nothing";
      } catch (error) {
        return String(error);
      }
    };
    assertEquals(thrown(readKinds), thrown((it) => readConnectOptions(it as ConnectOptions)));
    assertEquals(thrown(readKinds).includes("Cannot use the option"), true);
  }
});

Deno.test("kinds of options: an option that is an object is kept unchanged", () => {
  const options = { compression: { level: 99 }, proxy: "no URL", headers: [["a b", "c"]] };
  assertEquals(readKinds(options), options as unknown as ConnectOptions);
  assertThrows(() => readConnectOptions(options as unknown as ConnectOptions));
});

Deno.test("kinds of options: the options of from, and pingTimeout without pingInterval", () => {
  assertEquals(readFromOptions({ maxQueueSize: 1 }), { maxQueueSize: 1 });
  assertThrows(() => readFromOptions({ headers: {} } as never), TypeError, "headers");
  checkPings({ pingInterval: 1, pingTimeout: 1 });
  assertThrows(() => checkPings({ pingTimeout: 1 }), TypeError);
});
