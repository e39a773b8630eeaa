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
  type StandardResult,
  type StandardSchema,
  type StreamChannel,
  ValidationError,
} from "../../src/stream_channel/mod.ts";
import { microtasks, record } from "../support/events.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { RawChannel } from "./raw_channel.ts";

Deno.test("C126 an incoming document becomes a value", async () => {
  const raw = new RawChannel<string>();
  const channel = jsonDocument.transformChannel(raw);
  raw.in.add('{"foo": "bar"}');
  assertEquals(await channel.stream.next(), { done: false, value: { foo: "bar" } });
});

Deno.test("C127 an outgoing value becomes a document", async () => {
  const raw = new RawChannel<JsonText, string>();
  const channel = jsonDocument.transformChannel(raw);
  for (const value of [{ foo: "bar" }, null, [1, "é"], "", 0, { toJSON: () => 7 }]) {
    assert(channel.sink.add(value));
  }
  await channel.sink.close();
  assertEquals(raw.out, ['{"foo":"bar"}', "null", '[1,"é"]', '""', "0", "7", "done"]);
});

Deno.test("C128 (changed) a malformed document fails the stream, then closes the inner sink", async () => {
  for (const text of ["{invalid", "", "\uFEFF{}", "{} {}", new Uint8Array([123, 125])]) {
    const raw = new RawChannel<JsonText>();
    const channel = jsonDocument.transformChannel(raw);
    const { events } = record(channel.stream);
    raw.in.add("1");
    raw.in.add(text);
    raw.in.add("2");
    await microtasks();
    assertEquals(events.length, 3);
    assertEquals(events[0], 1);
    const error = (events[1] as unknown[])[1];
    assertInstanceOf(error, SyntaxError);
    assertEquals(events[2], "done");
    assertEquals(raw.out, [["error", error], "done"]);
    assertFalse(channel.sink.add(1));
    await channel.sink.done;
  }
});

Deno.test("C129 a value without JSON: add throws a TypeError, nothing is sent, and the channel stays usable", () => {
  const raw = new RawChannel<string>();
  const { sink } = jsonDocument.transformChannel(raw);
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const failing = {
    toJSON(): never {
      throw new RangeError("mine");
    },
  };
  for (const value of [undefined, () => {}, Symbol("s"), 1n, cycle, failing]) {
    assertThrows(() => sink.add(value), TypeError);
  }
  assertEquals(raw.out, []);
  assert(sink.add(1));
  raw.control.disconnect();
  assertFalse(sink.add(1));
  assertThrows(() => sink.add(undefined), TypeError, "JSON has no undefined");
});

Deno.test("skip: malformed documents are skipped", async () => {
  const raw = new RawChannel<JsonText>();
  const channel = jsonDocument({ malformed: "skip" }).transformChannel(raw);
  const { events } = record(channel.stream);
  for (const text of ["1", "{", new Uint8Array(2), "2"]) raw.in.add(text);
  raw.in.end();
  await microtasks();
  assertEquals(events, [1, 2, "done"]);
  assertEquals(raw.out, []);
});

Deno.test("a function: its result replaces a malformed document", async () => {
  const raw = new RawChannel<JsonText>();
  const channel = jsonDocument({
    malformed: (text, error) => ({ text, name: (error as Error).name }),
  }).transformChannel(raw);
  const { events } = record(channel.stream);
  for (const text of ["1", "{", "2"]) raw.in.add(text);
  await microtasks();
  assertEquals(events, [1, { text: "{", name: "MalformedJsonError" }, 2]);
});

Deno.test("a function that throws fails the stream with its error", async () => {
  const raw = new RawChannel<JsonText>();
  const error = new Error("mine");
  const channel = jsonDocument({
    malformed: () => {
      throw error;
    },
  }).transformChannel(raw);
  raw.in.add("{");
  assertStrictEquals(await assertRejects(() => channel.stream.next()), error);
  assertEquals(raw.out, [["error", error], "done"]);
});

/** A schema of `{ n: number }`, as Standard Schema libraries provide it. */
function numberSchema(later = false): StandardSchema<{ n: string }, { n: number }> {
  const validate = (value: unknown): StandardResult<{ n: number }> => {
    const n = Number((value as { n?: unknown } | null)?.n);
    if (!Number.isNaN(n)) return { value: { n } };
    return { issues: [{ message: "Not a number", path: ["n", { key: 0 }] }, { message: "Bad" }] };
  };
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: later ? async (value) => validate(await Promise.resolve(value)) : validate,
    },
  };
}

Deno.test("a schema types and validates incoming values", async () => {
  const { local, foreign } = channelPair<string>();
  const channel: StreamChannel<{ n: number }, unknown> = local.transform(
    jsonDocument({ incoming: numberSchema() }),
  );
  foreign.sink.add('{"n":"5","rest":1}');
  assertEquals((await channel.stream.next()).value, { n: 5 });
  foreign.sink.add('{"n":"x"}');
  const error = await assertRejects(() => channel.stream.next(), ValidationError);
  assertEquals(error.message, "Cannot receive: Not a number (at n.0, 2 issues)");
  assertEquals(error.issues.length, 2);
  assertStrictEquals(await assertRejects(() => foreign.stream.next()), error);
});

Deno.test("an asynchronous schema validates messages in order, one at a time", async () => {
  const raw = new RawChannel<JsonText>();
  const channel = jsonDocument({ incoming: numberSchema(true), malformed: "skip" })
    .transformChannel(raw);
  const { events } = record(channel.stream);
  for (const text of ['{"n":1}', '{"n":"x"}', "{", '{"n":2}', '{"n":3}']) raw.in.add(text);
  raw.in.end();
  await microtasks(100);
  assertEquals(events, [{ n: 1 }, { n: 2 }, { n: 3 }, "done"]);
});

Deno.test("an asynchronous schema that rejects fails the stream", async () => {
  const raw = new RawChannel<JsonText>();
  const channel = jsonDocument({ incoming: numberSchema(true) }).transformChannel(raw);
  raw.in.add('{"n":"x"}');
  raw.in.add('{"n":1}');
  const error = await assertRejects(() => channel.stream.next(), ValidationError);
  assertEquals((await channel.stream.next()).done, true);
  assertEquals(raw.out, [["error", error], "done"]);
});

Deno.test("a schema types, transforms and validates outgoing messages", () => {
  const raw = new RawChannel<JsonText, string>();
  const { sink } = jsonDocument({ outgoing: numberSchema() }).transformChannel(raw);
  sink.add({ n: "5" });
  assertThrows(
    () => sink.add({ n: "x" }),
    ValidationError,
    "Cannot send: Not a number (at n.0, 2 issues)",
  );
  assertEquals(raw.out, ['{"n":5}']);
  const late = jsonDocument({ outgoing: numberSchema(true) }).transformChannel(
    new RawChannel<JsonText>(),
  );
  assertThrows(() => late.sink.add({ n: "5" }), TypeError, "the schema is asynchronous");
});

Deno.test("addStream of a value without JSON rejects, and the error is added to the inner sink", async () => {
  const raw = new RawChannel<string>({ takeErrors: false });
  const { sink } = jsonDocument.transformChannel(raw);
  const error = await assertRejects(() => sink.addStream([1, 2n, 3]), TypeError);
  assertStrictEquals(await assertRejects(() => sink.done), error);
  assertEquals(raw.out, ["1", ["abort", error]]);
});

Deno.test("an asynchronous schema that rejects outgoing messages: add throws, and nothing else changes", async () => {
  const outgoing: StandardSchema<number, number> = {
    "~standard": { version: 1, vendor: "test", validate: () => Promise.reject(new Error("late")) },
  };
  const { sink } = jsonDocument({ outgoing }).transformChannel(new RawChannel<JsonText>());
  await assertNoUncaught(() => {
    assertThrows(() => sink.add(1), TypeError, "the schema is asynchronous");
  });
});

Deno.test("jsonDocument: the error about a schema in place of the options names the option to use", () => {
  const schemas = [numberSchema(), Object.assign(() => {}, numberSchema())];
  for (const schema of schemas) {
    const error = assertThrows(() => jsonDocument(schema as never), TypeError);
    assertEquals(
      error.message,
      "Cannot use the options: they must be an object, got a schema. Pass { incoming: schema }",
    );
  }
});
