import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  checkOption,
  type OptionKinds,
  readOptions,
  shown,
} from "../../src/stream_channel/options.ts";

interface Sample {
  closeTimeout?: number | undefined;
  port?: number | undefined;
  most?: number | undefined;
  size?: number | undefined;
  name?: string | null | undefined;
  mode?: "fast" | "slow" | undefined;
  signal?: AbortSignal | undefined;
  list?: Iterable<string> | undefined;
  bytes?: Uint8Array | undefined;
  url?: string | URL | undefined;
  isOn?: boolean | object | undefined;
  act?: (() => unknown) | undefined;
}

const KINDS: OptionKinds<Sample> = {
  closeTimeout: "time",
  port: "port",
  most: "limit",
  size: "size",
  name: "string|null",
  mode: '"fast"|"slow"',
  signal: "AbortSignal",
  list: "list",
  bytes: "bytes",
  url: "string|URL",
  isOn: "boolean|object",
  act: "function",
};

function read(options: unknown): Sample {
  return readOptions(options as Sample, KINDS);
}

function fault(options: unknown): string {
  return assertThrows(() => read(options), TypeError).message;
}

Deno.test("options: valid options are read; undefined means omitted", () => {
  assertEquals(read(undefined), {});
  assertEquals(read({}), {});
  assertEquals(read({ port: undefined, unknown: undefined }), {});
  const all = {
    closeTimeout: 0,
    port: 0xffff,
    most: 1,
    size: Infinity,
    name: null,
    mode: "fast",
    signal: new AbortController().signal,
    list: new Set(["a"]),
    bytes: new Uint8Array(1),
    url: new URL("http://a.test"),
    isOn: false,
    act: () => {},
  };
  const given = read(all);
  for (const [name, value] of Object.entries(all)) {
    assertStrictEquals(given[name as keyof Sample], value);
  }
});

Deno.test("options: the error about an unknown option is a TypeError that names it and the probable option", () => {
  const start = "Cannot use the option";
  for (
    const [options, text] of [
      [{ timeout: 5 }, "timeout: there is no such option, got 5. Did you mean closeTimeout?"],
      [
        { closeTimeOut: 5 },
        "closeTimeOut: there is no such option, got 5. Did you mean closeTimeout?",
      ],
      [
        { clsoeTimeout: 5 },
        "clsoeTimeout: there is no such option, got 5. Did you mean closeTimeout?",
      ],
      [{ nam: "x" }, "nam: there is no such option, got a string. Did you mean name?"],
      [{ xyz: null }, "xyz: there is no such option, got null"],
      [{ constructor: {} }, "constructor: there is no such option, got an object"],
      [{ "Bearer secret": 1 }, "[a name of 13]: there is no such option, got 1"],
      [{ ["x".repeat(1e6)]: 1 }, "[a name of 1000000]: there is no such option, got 1"],
    ] as const
  ) assertEquals(fault(options), `${start} ${text}`);
});

Deno.test("options: the error lists all options that one name may have meant", () => {
  const kinds = { closeTimeout: "time", pingTimeout: "time", protocols: "list" } as const;
  for (
    const [given, meant] of [
      [{ timeout: 1 }, "o.closeTimeout or o.pingTimeout"],
      [{ subprotocols: [] }, "o.protocols"],
    ] as const
  ) {
    const read = () => readOptions(given as object, kinds as OptionKinds<object>, { within: "o." });
    assert(assertThrows(read, TypeError).message.endsWith(`. Did you mean ${meant}?`));
  }
});

Deno.test("options: an option of the wrong type is a TypeError that names it and its value", () => {
  for (
    const [options, text] of [
      [{ port: "8080" }, 'port: it must be a number, got "8080"'],
      [{ port: null }, "port: it must be a number, got null"],
      [{ port: 8080n }, "port: it must be a number, got a bigint"],
      [{ port: [] }, "port: it must be a number, got an array"],
      [{ port: { valueOf: () => 1 } }, "port: it must be a number, got an object"],
      [{ port: Symbol("secret") }, "port: it must be a number, got a symbol"],
      [{ port: () => "secret" }, "port: it must be a number, got a function"],
      [{ mode: "quick" }, 'mode: it must be "fast" or "slow", got "quick"'],
      [{ mode: "x".repeat(50) }, `mode: it must be "fast" or "slow", got "${"x".repeat(40)}…"`],
      [{ mode: "a\r\nb" }, 'mode: it must be "fast" or "slow", got "a\\r\\nb"'],
      [{ name: 5 }, "name: it must be a string or null, got 5"],
      [{ isOn: "secret" }, "isOn: it must be a boolean or an object, got a string"],
      [{ isOn: null }, "isOn: it must be a boolean or an object, got null"],
      [{ signal: {} }, "signal: it must be an AbortSignal, got an object"],
      [{ signal: "secret" }, "signal: it must be an AbortSignal, got a string"],
      [{ list: "secret" }, "list: it must be a list, got a string"],
      [{ bytes: "secret" }, "bytes: it must be bytes, got a string"],
      [{ url: 5 }, "url: it must be a string or a URL, got 5"],
      [{ url: {} }, "url: it must be a string or a URL, got an object"],
      [{ act: "secret" }, "act: it must be a function, got a string"],
    ] as const
  ) assertEquals(fault(options), `Cannot use the option ${text}`);
});

Deno.test("options: a number outside its range is a RangeError", () => {
  for (
    const [options, text] of [
      [{ closeTimeout: -1 }, "closeTimeout: it must be from 0 to 2147483647, got -1"],
      [{ closeTimeout: Infinity }, "closeTimeout: it must be from 0 to 2147483647, got Infinity"],
      [{ size: NaN }, "size: it must be from 0 to Infinity, got NaN"],
      [{ port: 65536 }, "port: it must be from 0 to 65535, got 65536"],
      [{ most: 0 }, "most: it must be from 1 to Infinity, got 0"],
      // Counts and sizes are integers; times need not be.
      [{ size: 1.5 }, "size: it must be an integer, got 1.5"],
      [{ port: 80.5 }, "port: it must be an integer, got 80.5"],
      [{ most: 1.5 }, "most: it must be an integer, got 1.5"],
    ] as const
  ) {
    const error = assertThrows(() => read(options), RangeError);
    assertEquals(error.message, `Cannot use the option ${text}`);
  }
});

Deno.test("options: a time may be a fraction, and a limit may be Infinity", () => {
  const options = { closeTimeout: 1.5, size: Infinity, most: Infinity };
  assertEquals(read(options), options);
});

Deno.test("options: a value that is not an options object is a TypeError, whose text has no content", () => {
  const others: [unknown, string][] = [
    [null, "null"],
    ["secret", "a string"],
    [5, "5"],
    [() => "secret", "a function"],
    [["secret"], "an array"],
    [new Map([["port", 1]]), "an object"],
    [new Uint8Array(1), "an object"],
    [Promise.resolve({ port: 1 }), "a Promise"],
  ];
  for (const [value, text] of others) {
    assertEquals(fault(value), `Cannot use the options: they must be an object, got ${text}`);
  }
  const hint = ". Try this";
  const error = assertThrows(() => readOptions<Sample>([] as never, KINDS, { hint }), TypeError);
  assertEquals(
    error.message,
    "Cannot use the options: they must be an object, got an array. Try this",
  );
});

Deno.test("options: the error about a nested option names the outer option first", () => {
  const within = "tls.";
  const text = (options: unknown): string =>
    assertThrows(() => readOptions(options as Sample, KINDS, { within }), TypeError).message;
  assertEquals(
    text({ other: 1 }),
    "Cannot use the option tls.other: there is no such option, got 1",
  );
  assertEquals(
    text({ closetimeout: 1 }),
    "Cannot use the option tls.closetimeout: there is no such option, got 1. Did you mean tls.closeTimeout?",
  );
  assertEquals(text({ port: "x" }), 'Cannot use the option tls.port: it must be a number, got "x"');
  assertEquals(text("x"), "Cannot use the option tls: it must be an object, got a string");
});

Deno.test("options: no prototype, a class, inheritance and a Proxy are supported, and unknown options in them are found", () => {
  class Settings {
    port = 1;
    #name = "inner";
    get name(): string {
      return this.#name;
    }
    act(): string {
      return this.#name;
    }
  }
  const settings = read(new Settings());
  assertEquals([settings.port, settings.name, settings.act?.()], [1, "inner", "inner"]);
  assertEquals(read(Object.assign(Object.create(null), { port: 2 })).port, 2);
  assertEquals(read(Object.create({ port: 3 })).port, 3);
  assertEquals(read(new Proxy({ port: 4 }, {})).port, 4);
  assertEquals(read(Object.freeze({ port: 5 })).port, 5);
  const hidden = Object.defineProperty({}, "port", { value: 6, enumerable: false });
  assertEquals(read(hidden).port, 6);
  fault(Object.assign(Object.create(null), { prt: 2 }));
  fault(Object.create({ unknown: 3 }));
  fault(new Proxy({ unknown: 4 }, {}));
  fault(Object.create({ port: "3" }));
});

Deno.test("options: a property that a library added to every object is not an option", () => {
  const all = Object.prototype as { ofEverything?: number };
  all.ofEverything = 1;
  try {
    assertEquals(read({ port: 1 }), { port: 1 });
    fault({ ofEverything: 2 });
  } finally {
    delete all.ofEverything;
  }
});

Deno.test("options: each option is read once, and a getter's error reaches the caller", () => {
  let reads = 0;
  const options = {
    get port(): unknown {
      return reads++ === 0 ? 80 : "changed";
    },
  };
  assertEquals(read(options).port, 80);
  assertEquals(reads, 1);
  const failing = {
    get port(): number {
      throw new RangeError("mine");
    },
  };
  assertThrows(() => read(failing), RangeError, "mine");
});

Deno.test("options: a single option can be checked", () => {
  checkOption("x", 5, "number");
  const error = assertThrows(() => checkOption("x", undefined, "number"), TypeError);
  assertEquals(error.message, "Cannot use the option x: it must be a number, got undefined");
});

Deno.test("options: the text of a value is short, and has no content unless quoting is allowed", () => {
  assertEquals([shown("secret"), shown("secret", true)], ["a string", '"secret"']);
  assertEquals([shown({ secret: 1 }), shown(["secret"]), shown(1n)], [
    "an object",
    "an array",
    "a bigint",
  ]);
  assertEquals([shown(null), shown(undefined), shown(true), shown(1.5)], [
    "null",
    "undefined",
    "true",
    "1.5",
  ]);
});
