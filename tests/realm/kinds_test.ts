import { assertEquals } from "@std/assert";
import {
  codeOf,
  isPromiseLike,
  isReadableStream,
  isWritableStream,
  messageOf,
  nameOf,
} from "../../src/realm/kinds.ts";
import { foreign } from "../support/foreign_realm.ts";

Deno.test("kinds: a promise is recognised by its then method", () => {
  const thenable = Object.assign(() => {}, { then: () => {} });
  const yes = [Promise.resolve(), { then: () => {} }, thenable, foreign()?.("Promise.resolve()")];
  assertEquals(yes.map((it) => it === undefined || isPromiseLike(it)), [true, true, true, true]);
  const no = [null, undefined, {}, "then", { then: true }, 1];
  assertEquals(no.map(isPromiseLike), no.map(() => false));
});

Deno.test("kinds: Web Streams are recognised by their methods", () => {
  const { readable, writable } = new TransformStream();
  assertEquals([readable, writable, {}].map(isReadableStream), [true, false, false]);
  assertEquals([readable, writable, {}].map(isWritableStream), [false, true, false]);
});

Deno.test("kinds: the texts of an error are read from any realm", () => {
  const errors = [
    new TypeError("here"),
    foreign()?.("new TypeError('here')") ?? new TypeError("here"),
    { name: "TypeError", message: "here" },
  ];
  for (const error of errors) {
    assertEquals([nameOf(error), messageOf(error)], ["TypeError", "here"]);
  }
  for (const nothing of [null, undefined, "text", 1, {}, { message: 1, name: {} }]) {
    assertEquals([nameOf(nothing), messageOf(nothing)], ["", ""]);
  }
});

Deno.test("kinds attack 71: an error whose members throw has no texts", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const throwing = (): never => {
    throw new Error("a getter's");
  };
  const odd = ["name", "message", "code"].map((key) =>
    Object.defineProperty({}, key, { get: throwing })
  );
  for (const error of [proxy, new Proxy({}, { get: throwing }), ...odd]) {
    assertEquals([nameOf(error), messageOf(error), codeOf(error)], ["", "", ""]);
  }
  assertEquals(codeOf({ code: "EPIPE" }), "EPIPE");
});
