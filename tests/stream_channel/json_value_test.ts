import { assert, assertEquals, assertFalse, assertStrictEquals, assertThrows } from "@std/assert";
import { encodeJson, findUnsendable, whyNoJson } from "../../src/stream_channel/json_value.ts";

Deno.test("a value that has JSON is encoded as by JSON.stringify", () => {
  class Point {
    x = 1;
    #hidden = 2;
    get sum(): number {
      return this.x + this.#hidden;
    }
  }
  const shared = { n: 1 };
  const values = [
    ...[null, 0, -0, 1.5, "", "é\uD800", true, [], {}, [[[]]], { a: { b: [1, "x", null] } }],
    ...[new Point(), Object.create(null, { a: { value: 1, enumerable: true } }), [shared, shared]],
    ...[new Date(0), { at: [new Date(0)] }, new URL("ws://a/b"), Object("x"), Object(7)],
    ...[{ a: undefined, b: 1 }, { toJSON: () => 7 }, { a: { toJSON: (key: string) => key } }],
    ...[{ toJSON: () => undefined, also: 1 }].map((it) => ({ it })),
    { [Symbol("s")]: 1, a: 1 },
  ];
  for (const value of values) assertEquals(encodeJson(value), JSON.stringify(value));
});

Deno.test("a value that JSON would change silently is rejected; the error gives its position and never the value", () => {
  const cases: [value: unknown, why: string, place: string][] = [
    [undefined, "JSON has no undefined", "$"],
    [() => "hunter2", "JSON has no function", "$"],
    [Symbol("hunter2"), "JSON has no symbol", "$"],
    [7n, "JSON has no bigint", "$"],
    [NaN, "JSON has no NaN", "$"],
    [{ a: [1, 2, 3, NaN] }, "JSON has no NaN", "$.a[3]"],
    [{ a: -Infinity }, "JSON has no -Infinity", "$.a"],
    [[[undefined]], "JSON has no undefined", "$[0][0]"],
    [[1, , 3], "JSON has no undefined", "$[1]"],
    [{ "a b": { f() {} } }, "JSON has no function", '$["a b"].f'],
    [{ "": { "1x": Symbol.iterator } }, "JSON has no symbol", '$[""]["1x"]'],
    [{ a: { b: 12345678901234567890n } }, "JSON has no bigint", "$.a.b"],
    [{ m: new Map([["k", "hunter2"]]) }, "JSON has no Map", "$.m"],
    [[new Set()], "JSON has no Set", "$[0]"],
    [new Uint8Array(3), "JSON has no bytes", "$"],
    [{ d: new DataView(new ArrayBuffer(1)) }, "JSON has no bytes", "$.d"],
    [{ b: new ArrayBuffer(3) }, "JSON has no ArrayBuffer", "$.b"],
    [[new Blob()], "JSON has no Blob", "$[0]"],
    [/x/, "JSON has no RegExp", "$"],
    [{ e: new RangeError("hunter2") }, "JSON has no Error", "$.e"],
    [{ p: Promise.resolve() }, "JSON has no Promise", "$.p"],
    [{ toJSON: () => NaN }, "JSON has no NaN", "$"],
    [{ a: { toJSON: () => [new Map()] } }, "JSON has no Map", "$.a[0]"],
    [{ at: new Date(0), n: NaN }, "JSON has no NaN", "$.n"],
    [{ a: { toJSON: () => 1 }, n: [1n] }, "JSON has no bigint", "$.n[0]"],
  ];
  for (const [value, why, place] of cases) {
    const error = assertThrows(() => encodeJson(value), TypeError);
    assertEquals(error.message, `Cannot send: ${why}, at ${place}`);
    assertFalse("cause" in error && String(error.cause).includes("hunter2"));
  }
});

Deno.test("the error names a cycle; the same object twice is not a cycle", () => {
  const cycle: { a: unknown[] } = { a: [] };
  cycle.a.push(1, cycle);
  const error = assertThrows(() => encodeJson({ cycle }), TypeError);
  assertEquals(error.message, "Cannot send: the value contains itself, at $.cycle.a[1]");
});

Deno.test("a cycle that is reached in many ways, or deep down, is found at once", () => {
  const many: unknown[] = [];
  many.push(many, many, many);
  assertThrows(() => encodeJson(many), TypeError, "contains itself, at $[0]");
  const deep: unknown[] = [];
  let inner = deep;
  for (let i = 0; i < 500; i++) inner.push(inner = []);
  inner.push(NaN);
  assertThrows(() => encodeJson(deep), TypeError, "JSON has no NaN");
  inner[0] = deep;
  assertThrows(() => encodeJson(deep), TypeError, "contains itself");
  inner[0] = 1;
  assertEquals(encodeJson(deep), JSON.stringify(deep));
});

Deno.test("a toJSON that is not enumerable, or that all objects inherit, is used", () => {
  const hidden = Object.defineProperty({}, "toJSON", { value: () => NaN });
  assertThrows(() => encodeJson([hidden]), TypeError, "JSON has no NaN, at $[0]");
  const all = Object.prototype as { toJSON?: () => unknown };
  Object.defineProperty(all, "toJSON", { value: () => NaN, configurable: true });
  try {
    assertThrows(() => encodeJson([{}]), TypeError, "JSON has no NaN");
  } finally {
    delete all.toJSON;
  }
});

Deno.test("the error names a toJSON or a getter that throws, and has its error as the cause", () => {
  for (const cause of [new RangeError("mine"), new TypeError("mine"), "text"]) {
    const toJSON = (): never => {
      throw cause;
    };
    const error = assertThrows(() => encodeJson({ a: [{ toJSON }] }), TypeError);
    assertEquals(error.message, "Cannot send: toJSON threw, at $.a[0]");
    assertStrictEquals(error.cause, cause);
    const getter = { b: Object.defineProperty({}, "c", { get: toJSON, enumerable: true }) };
    const other = assertThrows(() => encodeJson(getter), TypeError);
    assertEquals(other.message, "Cannot send: a getter threw, at $.b.c");
    assertStrictEquals(other.cause, cause);
  }
});

Deno.test("an error that is thrown only once, or by a Proxy, is the cause", () => {
  let calls = 0;
  const cause = new Error("mine");
  const once = {
    toJSON() {
      if (calls++ === 0) throw cause;
      return 1;
    },
  };
  const error = assertThrows(
    () => encodeJson(once),
    TypeError,
    "the value can't be encoded as JSON",
  );
  assertStrictEquals(error.cause, cause);
  const proxy = new Proxy({}, {
    ownKeys() {
      throw cause;
    },
  });
  const ofProxy = assertThrows(() => encodeJson({ proxy }), TypeError);
  assertEquals(ofProxy.message, "Cannot send: a Proxy threw, at $.proxy");
  assertStrictEquals(ofProxy.cause, cause);
});

Deno.test("toJSON is called once, with the key", () => {
  const calls: unknown[] = [];
  const counted = {
    toJSON(key: string) {
      calls.push([this === counted, key]);
      return { n: calls.length };
    },
  };
  assertEquals(encodeJson({ a: counted, b: [counted] }), '{"a":{"n":1},"b":[{"n":2}]}');
  assertEquals(calls, [[true, "a"], [true, "0"]]);
});

Deno.test("a toJSON that was added to a platform's class is used", () => {
  const map = Object.assign(new Map([["a", 1]]), { toJSON: () => ["a", 1] });
  assertEquals(encodeJson({ map }), '{"map":["a",1]}');
});

Deno.test("a long position is shortened", () => {
  const error = assertThrows(() => encodeJson({ ["k".repeat(5000)]: { a: NaN } }), TypeError);
  assert(error.message.length < 200, error.message);
});

Deno.test("100,000 levels: the same result as JSON.stringify, or a TypeError", () => {
  const deep = JSON.parse("[".repeat(100_000) + "]".repeat(100_000));
  let text: string | null = null;
  try {
    text = JSON.stringify(deep);
  } catch {
    // This runtime does not support so many levels.
  }
  if (text === null) assertThrows(() => encodeJson(deep), TypeError);
  else assertEquals(encodeJson(deep), text);
  const wrong = JSON.parse("[".repeat(100_000) + "1e999" + "]".repeat(100_000));
  assertThrows(() => encodeJson(wrong), TypeError);
});

Deno.test("the error names the first value without JSON, in JSON.stringify's order", () => {
  assertEquals(findUnsendable({ a: [1, { b: 1n }], c: NaN }), {
    what: "JSON has no bigint",
    place: "$.a[1].b",
    isOurs: true,
  });
  assertEquals(findUnsendable({ a: undefined, b: [null], c: "x" }), null);
  const thrower = { toJSON: () => Promise.reject };
  assertEquals(findUnsendable(thrower)?.what, "JSON has no function");
});

Deno.test("whyNoJson checks only a value itself, not its content", () => {
  for (const value of [null, 1, "x", false, {}, [NaN], { a: 1n }, new Date(NaN)]) {
    assertEquals(whyNoJson(value), null);
  }
  for (const value of [undefined, NaN, 1n, new Map(), new Uint8Array(1)]) {
    assertEquals(typeof whyNoJson(value), "string");
  }
});
