import { assertEquals, assertThrows } from "@std/assert";
import {
  checkConnectOptions,
  checkNumber,
  MAX_REDIRECTS,
} from "../../src/web_socket/connect_checks.ts";
import type { ConnectOptions } from "../../src/web_socket/connect_options.ts";

/** Options of the wrong kind, as only JavaScript can give them. */
function options(given: Record<string, unknown>): ConnectOptions {
  return given as ConnectOptions;
}

/** The message of what it throws, without its beginning. */
function fault(given: Record<string, unknown>, kind: typeof Error): string {
  const { message } = assertThrows(() => checkConnectOptions(options(given)), kind);
  return message.replace("Cannot use the option ", "");
}

Deno.test("connect checks: nothing asked for, and everything asked for rightly", () => {
  checkConnectOptions({});
  checkConnectOptions({
    pingInterval: 0,
    pingTimeout: 0x7fff_ffff,
    maxMessageSize: 1,
    compression: { threshold: 100 },
    origin: "https://example.com",
    followRedirects: MAX_REDIRECTS,
    proxy: "http://user:secret@localhost:3128",
    localAddress: "127.0.0.1",
    lookup: () => Promise.resolve([]),
    tls: {},
    transport: "net",
    require: ["ping", "inbound-backpressure"],
  });
  checkConnectOptions({ maxMessageSize: Infinity, compression: false, followRedirects: true });
  checkConnectOptions({ proxy: "environment", compression: true, transport: "native" });
  checkConnectOptions({ proxy: new URL("https://localhost"), followRedirects: 0, require: [] });
  checkConnectOptions({ socketPath: "/run/socket", transport: "auto" });
});

Deno.test("connect checks: numbers out of range are a RangeError", () => {
  for (const name of ["pingInterval", "pingTimeout"]) {
    for (const value of [-1, NaN, Infinity, 0x8000_0000, "1"]) {
      const expected = `${name}: it must be from 0 to 2147483647, got ${value}`;
      assertEquals(fault({ [name]: value }, RangeError), expected);
    }
  }
  for (const maxMessageSize of [0, -1, NaN]) {
    const expected = `maxMessageSize: it must be 1 or more, got ${maxMessageSize}`;
    assertEquals(fault({ maxMessageSize }, RangeError), expected);
  }
  assertEquals(
    fault({ followRedirects: 11 }, RangeError),
    "followRedirects: it must be from 0 to 10, got 11",
  );
  assertEquals(
    fault({ followRedirects: 1.5 }, RangeError),
    "followRedirects: it must be whole, got 1.5",
  );
});

Deno.test("connect checks: an option of the wrong kind is a TypeError that says what it must be", () => {
  for (
    const [given, expected] of [
      [{ compression: "yes" }, "compression: it must be true, false or an object"],
      [{ compression: null }, "compression: it must be true, false or an object"],
      [{ transport: "tcp" }, 'transport: it must be "auto", "native" or "net"'],
      [{ require: ["teleport"] }, "require: it must be names of capabilities, got teleport"],
      [{ require: ["toString"] }, "require: it must be names of capabilities, got toString"],
      [{ socketPath: 1 }, "socketPath: it must be a string"],
      [{ socketPath: "" }, "socketPath: it must be a string"],
      [{ localAddress: [] }, "localAddress: it must be a string"],
      [{ lookup: "dns" }, "lookup: it must be a function"],
      [{ tls: true }, "tls: it must be an object"],
      [{ tls: null }, "tls: it must be an object"],
    ] as const
  ) {
    assertEquals(fault(given, TypeError), expected);
  }
});

Deno.test("connect checks: options that contradict each other are a TypeError", () => {
  assertEquals(
    fault({ proxy: "http://localhost", socketPath: "/run/socket" }, TypeError),
    "socketPath: it must be left out where there is a proxy",
  );
  assertEquals(
    fault({ origin: "https://a.example", headers: { Origin: "https://b.example" } }, TypeError),
    "origin: it must be left out where headers has an Origin",
  );
});

Deno.test("connect checks: an origin that isn't a field's value is a TypeError", () => {
  fault({ origin: "https://example.com\r\nX-Evil: 1" }, TypeError);
});

Deno.test("connect checks: a proxy that isn't a URL is a SyntaxError that shows nothing of it", () => {
  assertEquals(fault({ proxy: "http://user:secret@" }, SyntaxError).includes("secret"), false);
  assertEquals(fault({ proxy: "localhost" }, SyntaxError), "proxy: it is not a URL");
});

Deno.test("connect checks: checkNumber, at its bounds", () => {
  checkNumber("x", undefined, 10);
  checkNumber("x", 0, 10);
  checkNumber("x", 10, 10);
  const { message } = assertThrows(() => checkNumber("x", 10.5, 10), RangeError);
  assertEquals(message, "Cannot use the option x: it must be from 0 to 10, got 10.5");
});
