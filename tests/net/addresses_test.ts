import { assertEquals, assertRejects } from "@std/assert";
import { addressesOf, candidatesOf, interleaved } from "../../src/net/addresses.ts";
import type { LookupAddress, LookupFunction } from "../../src/net/mod.ts";

function list(...addresses: string[]): LookupAddress[] {
  return addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
}

function lookup(...addresses: string[]): LookupFunction {
  return (_host, _options, callback) => callback(null, list(...addresses));
}

Deno.test("addresses RFC 8305 §4: the families alternate, starting with that of the first address", () => {
  const order = (...addresses: string[]): string =>
    interleaved(list(...addresses)).map(({ address }) => address).join(" ");
  assertEquals(order("::1", "::2", "::3", "1.1.1.1", "2.2.2.2"), "::1 1.1.1.1 ::2 2.2.2.2 ::3");
  assertEquals(order("1.1.1.1", "2.2.2.2", "::1"), "1.1.1.1 ::1 2.2.2.2");
  assertEquals(order("1.1.1.1", "::1", "::2", "::3"), "1.1.1.1 ::1 ::2 ::3");
  assertEquals(order("1.1.1.1", "2.2.2.2"), "1.1.1.1 2.2.2.2");
  assertEquals(order(), "");
});

Deno.test("addresses: each address appears once, with its real family", async () => {
  const wrong: LookupFunction = (_host, _options, callback) =>
    callback(null, [{ address: "::1", family: 4 }, { address: "127.0.0.1", family: 0 }]);
  assertEquals(await addressesOf("a.test", 1, wrong), list("::1", "127.0.0.1"));
  assertEquals(await addressesOf("a.test", 1, lookup("127.0.0.1", "::1", "127.0.0.1")), [
    ...list("127.0.0.1", "::1"),
  ]);
  const single: LookupFunction = (_host, _options, callback) => callback(null, "127.0.0.1");
  assertEquals(await addressesOf("a.test", 1, single), list("127.0.0.1"));
  assertEquals((await addressesOf("localhost", 1)).length > 0, true);
});

Deno.test("addresses: a name is refused, because the proxy would look it up", async () => {
  const message = "ERR_LOOKUP";
  for (const name of ["localhost", "", "127.1", "[::1]"]) {
    await assertRejects(() => addressesOf("a.test", 1, lookup("127.0.0.1", name)), Error, message);
  }
  for (const answer of [undefined, null, 1, {}, [null], [undefined], ["127.0.0.1"], [{}]]) {
    const odd: LookupFunction = (_host, _options, callback) => callback(null, answer as string);
    await assertRejects(() => addressesOf("a.test", 1, odd), Error, message);
  }
  await assertRejects(() => addressesOf("a.test", 1, lookup()), Error, "ENOTFOUND");
});

Deno.test("addresses: an asynchronous lookup may fail before it calls back", async () => {
  const failing: LookupFunction = () => Promise.reject(new Error("no resolver"));
  await assertRejects(() => addressesOf("a.test", 1, failing), Error, "no resolver");
});

Deno.test("addresses: a lookup may return a promise of the addresses, or call back after one", async () => {
  const answers = ["127.0.0.1", [{ address: "127.0.0.1", family: 4 }]] as const;
  for (const answer of answers) {
    const promised: LookupFunction = () => Promise.resolve(answer as string);
    const found = await addressesOf("a.test", 1, promised);
    assertEquals(found, [{ address: "127.0.0.1", family: 4 }]);
  }
  for (const returned of [undefined, {}, null, 4]) {
    // For example, an async function around `lookup` of `node:dns`.
    const late = (async (_host, _options, callback) => {
      setTimeout(callback, 1, null, "::1", 6);
      return await Promise.resolve(returned);
    }) as LookupFunction;
    assertEquals(await addressesOf("a.test", 1, late), [{ address: "::1", family: 6 }]);
  }
  await assertRejects(
    () => addressesOf("a.test", 1, () => Promise.resolve([])),
    Error,
    "ENOTFOUND",
  );
  const name: LookupFunction = () => Promise.resolve("localhost");
  await assertRejects(() => addressesOf("a.test", 1, name), Error, "ERR_LOOKUP");
});

Deno.test("addresses: an IPv6 address keeps its zone", async () => {
  const found = await addressesOf("a.test", 1, lookup("fe80::1%eth0", "fe80::1%eth1"));
  assertEquals(found.map(({ address }) => address), ["fe80::1%eth0", "fe80::1%eth1"]);
  assertEquals(candidatesOf("a.test", 80, found, true).map(({ target }) => target), [
    { host: "fe80::1%eth0", port: 80 },
    { host: "fe80::1%eth1", port: 80 },
  ]);
});

Deno.test("addresses attack 71: a lookup function may reject or return no address", async () => {
  const failing = [
    () => Promise.reject(new Error("its own")),
    () => ({
      then: (_: unknown, reject: (error: unknown) => void) => reject(new Error("its own")),
    }),
    () => {
      throw new Error("its own");
    },
  ];
  for (const it of failing) {
    const lookup = it as unknown as LookupFunction;
    await assertRejects(() => addressesOf("a.test", 1, lookup), Error, "its own");
  }
  const message = "ERR_LOOKUP";
  for (const address of [{ toString: () => "127.0.0.1" }, 1, null, undefined, Symbol()]) {
    const lookup: LookupFunction = (_host, _options, callback) =>
      callback(null, [{ address: address as string, family: 4 }]);
    await assertRejects(() => addressesOf("a.test", 1, lookup), Error, message);
  }
});
