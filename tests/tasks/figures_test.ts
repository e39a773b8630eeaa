/** The rules by which `deno task figures` counts. */
// Deno only: it uses the TypeScript compiler

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  faultsOf,
  type Figure,
  roomsOf,
  sizeFigures,
  tableOf,
} from "../../tasks/figures/figure.ts";
import { instrument } from "../../tasks/figures/instrument.ts";
import {
  addedWay,
  type Call,
  filesOf,
  type Landmark,
  objectsOf,
  receivedWay,
  type Recorded,
} from "../../tasks/figures/message_way.ts";
import { unnamed } from "../../tasks/figures/page.ts";
import { callbackInterfaces, forwards, parse } from "../../tasks/figures/rules.ts";

const names = (found: readonly { name: string }[]): string[] => found.map(({ name }) => name);

/** The names of the forwards in a class with these members. */
function forwardsIn(...members: string[]): string[] {
  return names(forwards(parse("a.ts", `class A { ${members.join("\n")} }`)));
}

Deno.test("figures: a call of a field's method with the same arguments is a forward", () => {
  const members = [
    "a(): void { this.#x.a(); }",
    "b(p: number): number { return this.x.other(p); }",
    "c = (p: number, q: number): void => this.#x.c(p, q);",
    "d(...all: number[]): void { this.#x.d(...all); }",
    "async e(p: number): Promise<void> { await this.#x.y.e(p); }",
    "f(p: unknown): void { (this.#x!.f)?.(p as string); }",
    "g(): number { return this.#x?.g() ?? 0; }",
    "override h(p: number): void { super.h(p); }",
    "#i(p: number): void { void this.#x.i(p); }",
    "[Symbol.iterator]() { return this.#x[Symbol.iterator](); }",
    "static s(it: B): void { it.s(); }",
  ];
  const expected = "a b c d e f g h #i [Symbol.iterator] s".split(" ").map((it) => `A.${it}`);
  assertEquals(forwardsIn(...members), expected);
});

Deno.test("figures: a getter or setter of a field's property is a forward", () => {
  assertEquals(
    forwardsIn(
      "get a(): number { return this.#x.length; }",
      "get b(): number | null { return this.#x?.y.b ?? null; }",
      "set c(value: number) { this.#x.c = value; }",
      "get d(): number { return super.d; }",
      "get e(): number { return this.#x.e(); }",
    ),
    ["A.a", "A.b", "A.c", "A.d", "A.e"],
  );
});

Deno.test("figures: a function that does anything else is not a forward", () => {
  assertEquals(
    forwardsIn(
      "a(): void { this.#x.a(); this.#x.b(); }",
      "b(p: number): void { this.#x.b(p + 1); }",
      "c(p: number, q: number): void { this.#x.c(q, p); }",
      "d(p: number, q: number): void { this.#x.d(p); }",
      "e(): void { this.#x.e(1); }",
      "f(): void { this.g(); }",
      "g(p: number): number { return other(p); }",
      "h(p: number): number { return Math.abs(p); }",
      "i(): void {}",
      "j(p: number): void { if (p > 0) this.#x.j(p); }",
      "k({ p }: B): void { this.#x.k(p); }",
      "get l(): number { return this.#l; }",
      "get m(): boolean { return !this.#x.m; }",
      "set n(value: number) { this.n = value; }",
      "o(): number { return this.#x.length; }",
      "get first(): number { return this.#x[0]; }",
      "p(): number { return this.#x.p() ?? this.#x.q(); }",
      "constructor(p: number) { super.a(p); }",
      "q(): void { const close = () => this.#x.close(); list.map((it) => it.q()); }",
      "abstract r(p: number): void;",
    ),
    [],
  );
});

Deno.test("figures: functions of a module forward to their parameters", () => {
  const text = `
    export function close(it: Closable, code: number): void { it.close(code); }
    export const open = (it: Openable): void => it.inner.open();
    export function same(it: Closable): void { it.close(it); }
    export function call(callback: () => void): void { callback(); }
    export const object = { stop: (it: Stoppable): void => it.stop() };`;
  const found = forwards(parse("src/a.ts", text));
  assertEquals(names(found), ["close", "open", "stop"]);
  assertEquals(found[1], { name: "open", path: "src/a.ts", line: 3 });
});

Deno.test("figures: recognises callback interfaces by their members or their names", () => {
  const text = `
    interface Peer { onClose(): void; onOpen?: () => void; readonly size: number }
    type Receiver = { onMessage(message: string): void };
    export interface SinkActions { close(): void }
    interface ReadSource { readonly read: () => void }
    interface RequestTarget { readonly host: string }
    interface Half { onClose(): void; close(): void }
    interface ListenOptions { onDone?: () => void; onError?: () => void }
    interface Once { once(): void; only: number }
    type MessageEvents = string | null;`;
  const found = callbackInterfaces(parse("a.ts", text));
  assertEquals(names(found), ["Peer", "Receiver", "SinkActions", "ReadSource"]);
});

Deno.test("figures: counts files and lines for each folder", () => {
  assertEquals(
    roomsOf([
      { path: "src/net/a.ts", text: "// a\n\nb;\n" },
      { path: "src/net/inner/b.ts", text: "a;" },
      { path: "src/top.ts", text: "a;\nb;\n" },
      { path: "mod.ts", text: "a;\n" },
    ]),
    { "src/net": { files: 2, lines: 4 }, "src": { files: 1, lines: 2 } },
  );
});

const SIZE = { files: 3, lines: 200 };

Deno.test("figures: names a figure above its budget, with both numbers", () => {
  assertEquals(faultsOf(sizeFigures("src/net", SIZE, { files: 3, lines: 199 })), [
    "src/net: lines 200, above the budget of 199",
  ]);
  assertEquals(faultsOf(sizeFigures("src/net", SIZE, SIZE)), []);
});

Deno.test("figures: a folder needs a budget, and a budget a folder", () => {
  assertEquals(faultsOf(sizeFigures("src/new", SIZE)), [
    "src/new: files 3, without a budget",
    "src/new: lines 200, without a budget",
  ]);
  assertEquals(faultsOf(sizeFigures("src/old", { files: 0, lines: 0 }, SIZE)), [
    "src/old: a budget, but no such folder",
  ]);
});

Deno.test("figures: the table shows a goal until the budget reaches it", () => {
  const figures: Figure[] = [
    ...sizeFigures("src/net", SIZE, { files: 3, lines: 250 }, { files: 3, lines: 100 }),
    { where: "src", what: "forwards", now: 7, budget: null },
  ];
  assertEquals(
    tableOf(figures),
    [
      "                   now  budget  goal",
      "src/net  files       3       3",
      "         lines     200     250   100",
      "src      forwards    7    none",
    ].join("\n"),
  );
});

/** Runs instrumented code. Returns its calls, each with its depth, and its exports. */
async function run(text: string): Promise<{ calls: string[]; result: unknown }> {
  const calls: string[] = [];
  const numbers = new Map<unknown, number>();
  let depth = 0;
  const globals = globalThis as Record<string, unknown>;
  globals.$enter = (self: unknown, name: string, path: string): string => {
    assertEquals(path, "a.ts");
    if (self !== undefined && !numbers.has(self)) numbers.set(self, numbers.size + 1);
    const number = self === undefined ? "" : ` #${numbers.get(self)}`;
    calls.push(`${"> ".repeat(depth++)}${name}${number}`);
    return name;
  };
  globals.$exit = (): void => {
    depth--;
  };
  try {
    const code = instrument(parse("a.ts", text));
    assertEquals(code.split("\n").length, text.split("\n").length);
    const module = await import(`data:application/typescript,${encodeURIComponent(code)}`);
    const result = await module.result;
    assertEquals(depth, 0);
    return { calls, result };
  } finally {
    delete globals.$enter;
    delete globals.$exit;
  }
}

Deno.test("figures: instrumented code records methods, accessors, functions and closures", async () => {
  const { calls, result } = await run(`
    function twice(value: number): number { return value * 2; }
    class A {
      #list: number[] = [1, 2];
      readonly #sum = (): number => this.#list.reduce((a, b) => a + b);
      get sum(): number { return this.#sum(); }
      set first(value: number) { this.#list[0] = value; }
      double(): number[] { return this.#list.map((it) => twice(it)); }
    }
    const a = new A();
    a.first = 3;
    export const result = [a.sum, ...a.double()];`);
  assertEquals(result, [5, 6, 4]);
  assertEquals(calls, [
    "A.first #1",
    "A.sum #1",
    "> A.#sum #1",
    "> > A.#sum (closure) #1",
    "A.double #1",
    "> A.double (closure) #1",
    "> > twice",
    "> A.double (closure) #1",
    "> > twice",
  ]);
});

Deno.test("figures: instrumented code behaves as before: classes, errors, async, generators", async () => {
  const { calls, result } = await run(`
    class Base { constructor(readonly make: () => number) {} }
    class Derived extends Base {
      constructor(value: number) { super(() => value); this.check(() => { throw new Error("no"); }); }
      check(act: () => void): void { try { act(); } catch { /* as expected */ } }
      async later(): Promise<number> { await null; return this.make(); }
      async *[Symbol.asyncIterator](): AsyncGenerator<number> { yield await this.later(); }
    }
    const wait = async (it: Derived): Promise<number> => { for await (const n of it) return n; return 0; };
    const short = async (n: number) => ({ n: await n });
    export const result = wait(new Derived(7)).then(short);`);
  assertEquals(result, { n: 7 });
  assertEquals(calls.slice(0, 5), [
    "new Derived",
    "> new Base",
    "> Derived.check #1",
    "> > new Derived (closure) #1",
    "wait",
  ]);
});

/** Calls as `name` or `name#object`, indented below the one that they were made by. */
function recorded(tree: string, landmarks: Partial<Record<Landmark, string>>): Recorded {
  const calls: Call[] = [];
  const stack: number[] = [];
  for (const line of tree.split("\n").filter((it) => it.trim() !== "")) {
    const depth = (line.length - line.trimStart().length) / 2;
    const [name = "", object] = line.trim().split("#");
    stack[depth] = calls.length;
    calls.push({
      id: calls.length,
      parent: depth === 0 ? null : stack[depth - 1] ?? null,
      name,
      path: `${name[0]}.ts`,
      object: object === undefined ? null : Number(object),
    });
  }
  const passed = Object.entries(landmarks).map(([name, call]) => ({
    name: name as Landmark,
    call: calls.findIndex((it) => it.name === call),
  }));
  return { calls, landmarks: passed };
}

Deno.test("figures: a received message's steps are the calls that run when the listener does", () => {
  const way = receivedWay(recorded(
    `
timer#9
data#1
  receive#2
    check
    deliver#2
  after#3
`,
    { listener: "deliver" },
  ));
  assertEquals(names(way.steps), ["data", "receive", "deliver"]);
  assertEquals(names(way.calls), ["data", "receive", "check", "deliver", "after"]);
  assertEquals([objectsOf(way.steps), filesOf(way.steps)], [2, 2]);
});

Deno.test("figures: an added message's steps lead to its frame, to the flush and to the socket", () => {
  const tree = `
add#1
  send#2
    encode#3
      key
    soon#2
  ahead#2
other#7
flush#2
  take#3
  write#4
`;
  const landmarks = { random: "key", schedule: "soon", write: "write" };
  const way = addedWay(recorded(tree, landmarks));
  assertEquals(names(way.steps), ["add", "send", "encode", "key", "soon", "flush", "write"]);
  assertEquals(way.calls.length, 9);
  assertEquals([objectsOf(way.steps), filesOf(way.steps)], [4, 6]);
  const error = assertThrows(() => addedWay(recorded(tree, { random: "key" })), Error);
  assertStringIncludes(error.message, "no landmark schedule");
});

Deno.test("figures: a page must name each step, in order", () => {
  const call = (name: string, id: number): Call => ({
    id,
    parent: null,
    name,
    path: "",
    object: 1,
  });
  const steps = [call("a", 0), call("B.#c", 1), call("a", 2)];
  assertEquals(unnamed("first `a`, then `B.#c`, then `a`", { steps }), []);
  assertEquals(unnamed("`B.#c`, then `a`", { steps }), ["B.#c"]);
  assertEquals(unnamed("a, `B`", { steps: steps.slice(0, 2) }), ["a", "B.#c"]);
});
