import { assertEquals, assertThrows } from "@std/assert";
import { parseConnect } from "../../src/web_socket/connect_request.ts";
import {
  type ConnectOptions,
  DEFAULT_CLOSE_TIMEOUT,
  DEFAULT_CONNECT_TIMEOUT,
  DEFAULT_MAX_QUEUE_SIZE,
  MAX_REDIRECTS,
  type OverOptions,
  type ProtocolOptions,
} from "../../src/web_socket/options.ts";
import {
  readCompression,
  readConnectOptions,
  readConnectOverOptions,
  readHeaders,
  readOverOptions,
} from "../../src/web_socket/read_options.ts";

/** Reads the options as `connect` does. */
function connect(options: unknown): void {
  parseConnect("ws://example.com", readConnectOptions(options as ConnectOptions));
}

Deno.test("connect options: the defaults", () => {
  assertEquals(
    [DEFAULT_CONNECT_TIMEOUT, DEFAULT_CLOSE_TIMEOUT, DEFAULT_MAX_QUEUE_SIZE],
    [30_000, 5_000, 64 * 1024 * 1024],
  );
});

Deno.test("connect options: numbers have ranges, and a RangeError names the option and its range", () => {
  for (const name of ["connectTimeout", "closeTimeout", "highWaterMark", "maxQueueSize"] as const) {
    for (const value of [-1, NaN, -Infinity]) {
      const error = assertThrows(() => readConnectOptions({ [name]: value }), RangeError);
      const start = `Cannot use the option ${name}: it must be from 0 to `;
      assertEquals(error.message.startsWith(start), true, error.message);
      assertEquals(error.message.endsWith(`, got ${value}`), true, error.message);
    }
    readConnectOptions({ [name]: 0 });
    readConnectOptions({ [name]: undefined });
  }
  for (const value of ["1", null, 1n]) {
    const closeTimeout = value as unknown as number;
    assertThrows(() => readConnectOptions({ closeTimeout }), TypeError, "a number");
  }
});

Deno.test("connect options: a time must fit a platform's timer; a size may be infinite", () => {
  readConnectOptions({ closeTimeout: 0x7fff_ffff, connectTimeout: 0x7fff_ffff });
  assertThrows(() => readConnectOptions({ closeTimeout: 0x8000_0000 }), RangeError);
  assertThrows(() => readConnectOptions({ connectTimeout: Infinity }), RangeError);
  readConnectOptions({ highWaterMark: Infinity, maxQueueSize: Infinity });
});

Deno.test("connect options: valid and omitted options are accepted", () => {
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
  for (const options of all) connect(options);
});

const wrong: [options: Record<string, unknown>, error: typeof Error, named: string][] = [
  [{ pingInterval: -1 }, RangeError, "pingInterval"],
  [{ pingTimeout: 2 ** 31 }, RangeError, "pingTimeout"],
  [{ maxMessageSize: 0 }, RangeError, "maxMessageSize"],
  [{ maxMessageSize: NaN }, RangeError, "maxMessageSize"],
  [{ compression: "yes" }, TypeError, "compression"],
  [{ compression: null }, TypeError, "compression"],
  [{ compression: { clientMaxWindowBits: 7 } }, RangeError, ""],
  [
    { compression: { offer: "none" } },
    TypeError,
    'compression.offer: it must be "bare", got "none"',
  ],
  [
    { compression: { offer: "bare", serverMaxWindowBits: 9 } },
    TypeError,
    "compression.serverMaxWindowBits: it must be left out if the offer is bare",
  ],
  [
    { compression: { offer: "bare", serverNoContextTakeover: true } },
    TypeError,
    "compression.serverNoContextTakeover: it must be left out if the offer is bare",
  ],
  [{ userAgent: 1 }, TypeError, "userAgent: it must be a string or null"],
  [
    { userAgent: "a\r\nb: c" },
    TypeError,
    "Cannot send the header User-Agent: its value must be printable",
  ],
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
  Deno.test(`connect options: ${JSON.stringify(options)} is rejected`, () => {
    assertThrows(() => connect(options), error, named);
  });
}

Deno.test("protocol options: valid options are accepted", () => {
  const all: ProtocolOptions[] = [
    {},
    { pingInterval: 0, pingTimeout: 0, maxMessageSize: 1, compression: false },
    { pingInterval: 20_000, maxMessageSize: Infinity, compression: true },
    { compression: { level: 9, threshold: 0 } },
  ];
  for (const options of all) readConnectOverOptions(options);
});

Deno.test("options: pingTimeout needs pingInterval", () => {
  const wrong = [{ pingTimeout: 1 }, { pingTimeout: 1, pingInterval: 0 }];
  for (const options of wrong) {
    for (
      const read of [
        () => readConnectOptions(options),
        () => readConnectOverOptions(options),
        () => readOverOptions({ side: "client", ...options }),
      ]
    ) assertThrows(read, TypeError, "pingTimeout needs pingInterval");
  }
  readConnectOptions({ pingTimeout: 1, pingInterval: 1 });
  readConnectOptions({ pingTimeout: 0, pingInterval: 0 });
});

Deno.test("connect options: the error about an unknown capability lists the known ones", () => {
  const error = assertThrows(
    () => readConnectOptions({ require: ["pings" as "ping"] }),
    TypeError,
  );
  assertEquals(
    error.message,
    "Cannot use the option require: it must be names of capabilities (headers, ping, terminate, " +
      "inboundBackpressure, messageLimit, compressionOptions, tls, proxy, handshakeResponse, " +
      'allCloseCodes, messageStreams, failureCause), got "pings"',
  );
});

Deno.test("protocol options: invalid ones are a RangeError that names the option", () => {
  const wrong: [name: string, options: ProtocolOptions][] = [
    ["pingInterval", { pingInterval: -1 }],
    ["pingTimeout", { pingTimeout: NaN }],
    ["maxMessageSize", { maxMessageSize: 0 }],
    ["maxMessageSize", { maxMessageSize: NaN }],
    ["level", { compression: { level: 10 } }],
    ["closeTimeout", { closeTimeout: -1 }],
  ];
  for (const [name, options] of wrong) {
    assertThrows(() => readConnectOverOptions(options), RangeError, name);
  }
});

Deno.test("over options: the side is required, and compression has only a threshold and a level", () => {
  const wrong: [unknown, string][] = [
    [{}, "the option side"],
    [{ side: "peer" }, "the option side"],
    [{ side: "client", compression: true }, "the option compression"],
    [
      { side: "client", compression: { serverMaxWindowBits: 9 } },
      "compression.serverMaxWindowBits",
    ],
  ];
  for (const [options, text] of wrong) {
    assertThrows(() => readOverOptions(options as OverOptions), TypeError, text);
  }
  const compression = { threshold: 0, level: 9 };
  assertEquals(readOverOptions({ side: "server", compression }), { side: "server", compression });
});

Deno.test("compression options: valid options are read", () => {
  for (const value of [undefined, true, false]) assertEquals(readCompression(value), value);
  const all = { serverNoContextTakeover: true, clientMaxWindowBits: 8, threshold: 0, level: -1 };
  assertEquals(readCompression(all), all);
});

Deno.test("compression options: an invalid option causes an error that names it", () => {
  const wrong: [unknown, new () => Error, string][] = [
    [{ levl: 5 }, TypeError, "compression.levl: there is no such option, got 5. Did you mean"],
    [{ level: "9" }, TypeError, 'compression.level: it must be a number, got "9"'],
    [{ level: 10 }, RangeError, "compression.level: it must be an integer from -1 to 9, got 10"],
    [{ serverMaxWindowBits: 7 }, RangeError, "compression.serverMaxWindowBits"],
    [null, TypeError, "the option compression: it must be an object, got null"],
  ];
  for (const [value, kind, text] of wrong) {
    assertThrows(() => readCompression(value as { level: number }), kind, text);
  }
});

function fault(headers: unknown): string {
  return assertThrows(() => readHeaders(headers), TypeError).message;
}

Deno.test("header fields: an object, pairs, Headers and any iterable of pairs, in their order", () => {
  const fields: [string, string][] = [["A", "1"], ["b", "2"]];
  for (const headers of [{ A: "1", b: "2" }, fields, new Map(fields), fields.values()]) {
    assertEquals(readHeaders(headers), fields);
  }
  assertEquals(readHeaders(new Headers(fields)), [["a", "1"], ["b", "2"]]);
});

Deno.test("header fields: the error about an invalid field gives its position, and not its content", () => {
  const start =
    "Cannot use the option headers: field 2 of 2 must be a name and a value, both strings";
  for (
    const [field, got] of [
      [["X-A", 5], "string and number"],
      [["X-A", null], "string and null"],
      [[5, "secret"], "number and string"],
      [["secret"], "an array"],
      [["secret", "secret", "secret"], "an array"],
      ["xy", "a string"],
      [null, "null"],
    ] as const
  ) assertEquals(fault([["A", "1"], field]), `${start}, got ${got}`);
  assertEquals(fault({ a: "1", b: undefined }), `${start}, got string and undefined`);
});

Deno.test("header fields: the handshake's own fields and unsendable values are rejected", () => {
  assertEquals(
    fault({ Upgrade: "secret" }),
    "Cannot use the option headers: the header field Upgrade is reserved for the handshake",
  );
  assertEquals(fault({ "X-A": "secret\n" }).includes("secret"), false);
});
