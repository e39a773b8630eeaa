import { assertEquals, assertThrows } from "@std/assert";
import { checkConnectOptions, MAX_REDIRECTS } from "../../src/web_socket/connect_checks.ts";
import { type ConnectOptions, readConnectOptions } from "../../src/web_socket/connect_options.ts";

/** As `connect` does: read, then checked. */
function check(options: unknown): void {
  checkConnectOptions(readConnectOptions(options as ConnectOptions));
}

Deno.test("connect checks: what is right, or left out, is let through", () => {
  assertEquals(MAX_REDIRECTS, 10);
  const all: ConnectOptions[] = [
    {},
    { pingInterval: 0, pingTimeout: 0, maxMessageSize: 1, followRedirects: false },
    { pingInterval: 1000, maxMessageSize: Infinity, followRedirects: true, compression: true },
    { followRedirects: 0, compression: {}, origin: "http://a.test", transport: "net" },
    { followRedirects: 10, compression: false, require: ["ping", "tls"], transport: "native" },
    { proxy: "environment", localAddress: "127.0.0.1", transport: "auto", require: [] },
    { proxy: new URL("http://a.test"), headers: { Origin: "http://a.test" } },
    { socketPath: "/run/a.sock", lookup: () => {} },
    { tls: {} },
  ];
  for (const options of all) check(options);
});

const wrong: [options: Record<string, unknown>, error: typeof Error, named: string][] = [
  [{ pingInterval: -1 }, RangeError, "pingInterval"],
  [{ pingTimeout: 2 ** 31 }, RangeError, "pingTimeout"],
  [{ maxMessageSize: 0 }, RangeError, "maxMessageSize"],
  [{ maxMessageSize: NaN }, RangeError, "maxMessageSize"],
  [{ compression: "yes" }, TypeError, "compression"],
  [{ compression: null }, TypeError, "compression"],
  [{ compression: { clientMaxWindowBits: 7 } }, RangeError, ""],
  [{ origin: "a\r\nb" }, TypeError, "Origin"],
  [{ origin: "http://a.test", headers: { origin: "http://b.test" } }, TypeError, "origin"],
  [{ followRedirects: 11 }, RangeError, "followRedirects"],
  [{ followRedirects: 1.5 }, RangeError, "followRedirects"],
  [{ followRedirects: "yes" }, TypeError, "followRedirects"],
  [{ proxy: "" }, SyntaxError, "proxy"],
  [{ proxy: "http://" }, SyntaxError, "proxy"],
  [{ proxy: "http://a.test", socketPath: "/a" }, TypeError, "socketPath"],
  [{ socketPath: "" }, TypeError, "socketPath"],
  [{ localAddress: 5 }, TypeError, "localAddress"],
  [{ lookup: {} }, TypeError, "lookup"],
  [{ tls: true }, TypeError, "tls"],
  [{ tls: null }, TypeError, "tls"],
  [{ transport: "tcp" }, TypeError, "transport"],
  [{ require: ["teleport"] }, TypeError, "require"],
  [{ require: ["constructor"] }, TypeError, "require"],
  [{ require: [5] }, TypeError, "require"],
];
for (const [options, error, named] of wrong) {
  Deno.test(`connect checks: ${JSON.stringify(options)} is refused`, () => {
    assertThrows(() => check(options), error, named);
  });
}
