/** Hostile schemas and documents: nothing is valid by accident, nothing hangs, texts stay short. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  channelPair,
  jsonDocument,
  type JsonText,
  MalformedJsonError,
  type MalformedPolicy,
  type StandardSchema,
  StreamChannel,
  ValidationError,
  withGuarantees,
} from "../../src/stream_channel/mod.ts";
import { Deferred } from "../../src/stream_channel/errors.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { microtasks, record, settled } from "../support/events.ts";
import { assertNoUncaught } from "../support/unhandled.ts";

/** A schema with the given `validate`. */
function schema<T>(validate: (value: unknown) => unknown): StandardSchema<T, T> {
  return { "~standard": { version: 1, vendor: "test", validate: validate as never } };
}

/** The output of a channel whose messages are validated by a schema. */
async function through(
  validate: (value: unknown) => unknown,
  malformed: MalformedPolicy<unknown> = "error",
  texts: readonly string[] = ["1", "2"],
): Promise<unknown[]> {
  const { local, foreign } = channelPair<string>();
  const json = local.transform(jsonDocument({ incoming: schema(validate), malformed }));
  const { events } = record(json.stream);
  for (const text of texts) foreign.sink.add(text);
  await microtasks(200);
  return events;
}

/** A promise like one of another realm or of a library: no instance of this realm's `Promise`. */
class ForeignPromise {
  readonly #value: unknown;
  constructor(value: unknown) {
    this.#value = value;
  }
  then(resolve: (value: unknown) => void): void {
    resolve(this.#value);
  }
}

Deno.test("attack 64: the channel awaits thenables of any class", async () => {
  const refuse = { issues: [{ message: "no" }] };
  const later = [
    (result: unknown) => new ForeignPromise(result),
    (result: unknown) => ({ then: (resolve: (value: unknown) => void) => resolve(result) }),
    (result: unknown) =>
      Object.assign(() => {}, { then: (go: (it: unknown) => void) => go(result) }),
    (result: unknown) => new (class extends Promise<unknown> {})((resolve) => resolve(result)),
  ];
  for (const make of later) {
    assertEquals(await through((value) => make({ value }), "error"), [1, 2]);
    const refused = await through(() => make(refuse), "skip");
    assertEquals(refused, []);
    const [error] = await through(() => make(refuse), "error");
    assertInstanceOf((error as unknown[])[1], ValidationError);
  }
});

Deno.test("attack 64: schemas work when another class replaces the global Promise", async () => {
  const Original = globalThis.Promise;
  class Replaced<T> extends Original<T> {}
  globalThis.Promise = Replaced as PromiseConstructor;
  try {
    // An async function's promise is never an instance of the replacing class.
    assertEquals(await through(async () => await { issues: [{ message: "no" }] }, "skip"), []);
    assertEquals(await through(async (value) => await { value }), [1, 2]);
  } finally {
    globalThis.Promise = Original;
  }
});

Deno.test("attack 64: a schema with an invalid result fails the stream, under each policy", async () => {
  const nonsense = [undefined, null, true, 7, "valid", {}, [], { issues: null }, { issues: {} }];
  for (const policy of ["error", "skip", () => "in its place"] as const) {
    for (const result of nonsense) {
      for (const wrap of [(it: unknown) => it, (it: unknown) => Promise.resolve(it)]) {
        const events = await through(() => wrap(result), policy);
        assertEquals(events.length, 2);
        const error = (events[0] as unknown[])[1];
        assertInstanceOf(error, TypeError);
        assertEquals(
          error.message,
          "Cannot validate: the schema returned neither a value nor issues",
        );
      }
    }
  }
});

Deno.test("attack 64: a schema that throws or rejects fails the stream, under each policy", async () => {
  const error = new RangeError("a fault of the schema");
  const failing: ((value: unknown) => unknown)[] = [
    () => {
      throw error;
    },
    () => Promise.reject(error),
    () => ({ then: (_: unknown, reject: (error: unknown) => void) => reject(error) }),
    () => ({
      get then(): never {
        throw error;
      },
    }),
    () => ({
      get issues(): never {
        throw error;
      },
    }),
  ];
  for (const policy of ["error", "skip", () => "in its place"] as const) {
    for (const validate of failing) {
      assertEquals(await through(validate, policy), [["error", error], "done"]);
    }
  }
});

Deno.test("attack 64: a schema that fails is no fault of the peer: the close code is 1011", async () => {
  const { client, server } = webSocketChannelPair();
  const incoming = schema((): never => {
    throw new Error("mine");
  });
  const json = server.transform(jsonDocument({ incoming, malformed: "skip" }));
  client.sink.add("1");
  const error = await assertRejects(() => json.stream.next());
  assertEquals((await client.closed).code, 1011);
  assertStrictEquals((await server.closed).error, error);
});

Deno.test("attack 64: a schema that settles twice, or both ways, counts once", async () => {
  const events = await through((value) => ({
    then(resolve: (value: unknown) => void, reject: (error: unknown) => void) {
      resolve({ value });
      resolve({ value: "again" });
      reject(new Error("late"));
    },
  }));
  assertEquals(events, [1, 2]);
});

Deno.test("attack 64: a schema that never settles doesn't delay closing", async () => {
  const incoming = schema(() => new Promise(() => {}));
  // Over a channel, and over a pair of independent Web Streams.
  const { client, server } = webSocketChannelPair();
  const json = server.transform(jsonDocument({ incoming }));
  const { events } = record(json.stream);
  client.sink.add("1");
  client.sink.add("2");
  await client.sink.flush();
  await microtasks(50);
  await json.sink.close();
  assertEquals(events, ["done"]);
  assertEquals((await server.closed).initiator, "local");
  assertEquals((await client.closed).wasClean, true);

  let cancelled = false;
  const halves = withGuarantees<string, string>({
    readable: new ReadableStream({
      start: (controller) => controller.enqueue("1"),
      cancel: () => void (cancelled = true),
    }),
    writable: new WritableStream(),
  });
  const other = halves.transform(jsonDocument({ incoming }));
  await microtasks(50);
  await other.sink.close();
  assertEquals((await other.stream.next()).done, true);
  await microtasks(50);
  assert(cancelled);
});

Deno.test("attack 64: a schema that never settles stops no socket from reading", async () => {
  const incoming = schema(() => new Promise(() => {}));
  const allRead = new Deferred();
  let left = 10;
  const channel = StreamChannel.from<string, string>({
    readable: new ReadableStream({
      pull(controller) {
        if (left-- > 0) return controller.enqueue(JSON.stringify("x".repeat(60_000)));
        controller.close();
        allRead.resolve();
      },
    }, { highWaterMark: 0 }),
    writable: new WritableStream({ close: () => allRead.promise }),
  });
  const json = channel.transform(jsonDocument({ incoming }));
  await microtasks(100);
  assert(left > 0);
  await json.sink.close();
  assert(left < 0);
});

Deno.test("attack 64: the peer closes while a schema never settles: closed and done settle", async () => {
  const { client, server } = webSocketChannelPair();
  const json = server.transform(jsonDocument({ incoming: schema(() => new Promise(() => {})) }));
  const reading = json.stream.next();
  client.sink.add("1");
  await client.sink.close(1000);
  assertEquals((await server.closed).code, 1000);
  await json.sink.done;
  assertFalse(json.sink.add(1));
  // Messages received before the Close are still being validated, until this side's timeout.
  assertFalse(await settled(reading));
  await json.sink.close();
  assertEquals((await reading).done, true);
});

Deno.test("attack 64: a reader leaves while a schema never settles: the channel notices the end", async () => {
  const { local, foreign } = channelPair<string>();
  const json = local.transform(jsonDocument({ incoming: schema(() => new Promise(() => {})) }));
  const { subscription } = record(json.stream);
  foreign.sink.add("1");
  await microtasks();
  subscription.cancel();
  await foreign.sink.close();
  await json.sink.done;
  assertFalse(json.sink.add(1));
});

Deno.test("attack 64: 50,000 issues, or one of a megabyte, result in a short error text", async () => {
  const issue = {
    message: "x".repeat(1 << 20),
    path: ["k".repeat(1 << 20), ...Array(100_000).fill(0)],
  };
  const validate = (): unknown => ({ issues: Array(50_000).fill(issue) });
  const [[, error]] = (await through(validate)) as [[string, ValidationError]];
  assertInstanceOf(error, ValidationError);
  assert(error.message.length < 500, `${error.message.length} characters`);
  assert(error.message.includes("50000 issues"), error.message);
  assertEquals(error.issues.length, 50_000);
});

Deno.test("attack 60: no received content in a ValidationError's text, lines or inspection", async () => {
  const secret = "hunter2";
  const validate = (value: unknown): unknown => ({
    issues: [{
      message: `Expected a number\nbut received "${(value as string[])[0]}"`,
      path: ["password\u001b[31m"],
      input: value,
    }],
  });
  const [[, error]] = (await through(validate, "error", [JSON.stringify([`a"${secret}"`])])) as [
    [string, Error],
  ];
  assertFalse(error.message.includes(secret), error.message);
  assertFalse(/\p{Cc}/u.test(error.message), error.message);
  assertFalse(String(error.stack).includes(secret), error.stack);
  assertFalse(JSON.stringify(error).includes(secret));
  assertEquals(Object.keys(error).includes("issues"), false);
  assertEquals((error as ValidationError).issues.length, 1);
});

Deno.test("attack 60: a malformed document's error names the position and quotes nothing", async () => {
  const secret = "hunter2hunter2";
  const texts = [
    `{"password":"${secret}"`,
    `{"password":${secret}}`,
    secret,
    `["${secret}",]`,
    `{"${secret}" 1}`,
    `\n\n ["${secret}", x]`,
    `"${secret}`.repeat(1),
    `{"a":"${secret}\u0001"}`,
    "[".repeat(200_000) + secret,
  ];
  for (const text of texts) {
    const { local, foreign } = channelPair<string>();
    foreign.sink.add(text);
    const error = await assertRejects(
      () => local.transform(jsonDocument).stream.next(),
      MalformedJsonError,
    );
    assert(error.message.length < 200, error.message);
    assert(/ at line \d+, column \d+, expected /.test(error.message), error.message);
    assertFalse(error.message.includes("hunter"), error.message);
    assertFalse(String(error.stack).includes(secret), error.stack);
    assertEquals(error.cause, undefined);
  }
});

Deno.test("attack 64: documents of 100,000 levels: a value or a typed error, and the next document is read", async () => {
  const depth = 100_000;
  for (const [open, close] of [["[", "]"], ['{"a":', "}"]] as const) {
    const text = `${open.repeat(depth)}0${close.repeat(depth)}`;
    for (const incoming of [undefined, schema((value) => ({ value }))]) {
      const { local, foreign } = channelPair<string>();
      const json = local.transform(jsonDocument({ incoming, malformed: "skip" }));
      foreign.sink.add(text);
      foreign.sink.add('"next"');
      let { value } = await json.stream.next();
      // On a runtime whose JSON.parse can't read it, the document counts as malformed.
      if (typeof value === "object") value = (await json.stream.next()).value;
      assertEquals(value, "next");
    }
  }
});

Deno.test("attack 64: a schema that overflows the stack on a deep document fails the stream", async () => {
  const visit = (value: unknown): unknown => Array.isArray(value) ? [...value.map(visit)] : value;
  const deep = "[".repeat(50_000) + "]".repeat(50_000);
  const events = await through((value) => ({ value: visit(value) }), "skip", [deep, "1"]);
  assertEquals(events.length, 2);
  assertEquals((events[0] as unknown[])[0], "error");
  assertEquals(events[1], "done");
});

Deno.test("a malformed function may be asynchronous, answer, and skip; messages keep their order", async () => {
  const { client, server } = webSocketChannelPair();
  const json = server.transform(jsonDocument<unknown, { error: string }>({
    malformed: async (text, error, { reply, skip }) => {
      await Promise.resolve();
      assert(reply({ error: error.name }));
      return text === "a value" ? "in its place" : skip;
    },
  }));
  const { events } = record(json.stream);
  for (const text of ["1", "{", "a value", "2"]) client.sink.add(text);
  const answers = [await client.stream.next(), await client.stream.next()];
  assertEquals(answers.map((it) => it.value), Array(2).fill('{"error":"MalformedJsonError"}'));
  await client.sink.close();
  await microtasks(50);
  assertEquals(events, [1, "in its place", 2, "done"]);
});

Deno.test("reply returns false after the end; a value without JSON is a TypeError", async () => {
  const { local, foreign } = channelPair<JsonText, string>();
  const told: unknown[] = [];
  let answer = (_value: unknown): boolean => true;
  const json = local.transform(jsonDocument({
    malformed: (_text, _error, { reply, skip }) => {
      answer = reply;
      told.push(assertThrows(() => reply(1n), TypeError).message);
      return skip;
    },
  }));
  foreign.sink.add("{");
  await microtasks();
  assertEquals(told, ["Cannot send: JSON has no bigint, at $"]);
  // The same while an addStream uses the sink.
  const added = json.sink.addStream(new ReadableStream());
  assert(answer("here"));
  assertEquals((await foreign.stream.next()).value, '"here"');
  await foreign.sink.close();
  await added.catch(() => {});
  assertFalse(answer("late"));
  await json.sink.close();
  assertFalse(answer("late"));
});

Deno.test("a malformed function that rejects fails the stream with that error", async () => {
  const error = new Error("mine");
  const { local, foreign } = channelPair<string>();
  const json = local.transform(jsonDocument({ malformed: () => Promise.reject(error) }));
  foreign.sink.add("{");
  await assertNoUncaught(async () => {
    assertStrictEquals(await assertRejects(() => json.stream.next()), error);
  });
});

Deno.test("the options parse and stringify replace JSON's", async () => {
  const { local, foreign } = channelPair<string>();
  const json = local.transform(jsonDocument<unknown, unknown>({
    parse: (text) =>
      JSON.parse(
        text,
        (_, it) => typeof it === "string" && /^\d+n$/.test(it) ? BigInt(it.slice(0, -1)) : it,
      ),
    stringify: (value) => JSON.stringify(value, (_, it) => typeof it === "bigint" ? `${it}n` : it),
  }));
  json.sink.add({ big: 12345678901234567890n });
  const { value } = await foreign.stream.next();
  assertEquals(value, '{"big":"12345678901234567890n"}');
  foreign.sink.add(value ?? "");
  assertEquals((await json.stream.next()).value, { big: 12345678901234567890n });
});

Deno.test("a message is malformed if parse throws; a stringify that returns no text is a TypeError", async () => {
  const cause = new Error("mine");
  const { local, foreign } = channelPair<string>();
  const json = local.transform(jsonDocument({
    parse: () => {
      throw cause;
    },
    stringify: () => undefined as unknown as string,
  }));
  assertThrows(
    () => json.sink.add(1),
    TypeError,
    "`stringify` must return a string, got undefined",
  );
  foreign.sink.add("{}");
  const error = await assertRejects(() => json.stream.next(), MalformedJsonError);
  assertEquals(error.message, "Cannot receive: the message could not be parsed");
  assertStrictEquals(error.cause, cause);
});

Deno.test("attack 54: an option of the wrong type is a TypeError that names it", () => {
  const wrong: [name: string, options: object][] = [
    ["malformed", { malformed: "ignore" }],
    ["malformed", { malformed: null }],
    ["parse", { parse: JSON }],
    ["stringify", { stringify: 2 }],
    ["incoming", { incoming: { parse() {} } }],
    ["outgoing", { outgoing: null }],
  ];
  for (const [name, options] of wrong) {
    assertThrows(
      () => jsonDocument(options as never),
      TypeError,
      `the option ${name}: it must be `,
    );
  }
  jsonDocument({ malformed: undefined, incoming: undefined, parse: undefined });
});

Deno.test("an outgoing schema: an invalid result or a thenable is an error, and no rejection stays unhandled", async () => {
  for (const result of [undefined, {}, { issues: null }]) {
    const { sink } = channelPair<string>().local.transform(
      jsonDocument({ outgoing: schema(() => result) }),
    );
    assertThrows(() => sink.add(1 as never), TypeError, "neither a value nor issues");
  }
  await assertNoUncaught(() => {
    const rejected = {
      then: (_: unknown, reject: (error: unknown) => void) => reject(new Error()),
    };
    for (const result of [Promise.reject(new Error("late")), rejected, new ForeignPromise(1)]) {
      const outgoing = schema<number>(() => result);
      const { sink } = channelPair<string>().local.transform(jsonDocument({ outgoing }));
      assertThrows(() => sink.add(1), TypeError, "the schema is asynchronous");
    }
  });
});
