import { assertEquals } from "@std/assert";
import { addressKey } from "../../src/server/address_key.ts";

Deno.test("address key: an IPv4 address is its own key, also when mapped into IPv6", () => {
  for (const it of ["192.0.2.7", "::ffff:192.0.2.7", "::FFFF:192.0.2.7", "::ffff:c000:207"]) {
    assertEquals(addressKey(it), "192.0.2.7");
  }
  assertEquals(addressKey("::ffff:0.0.0.255"), "0.0.0.255");
  // Behind an address translator, all IPv4 addresses share the same first 64 bits.
  assertEquals(addressKey("64:ff9b::192.0.2.7"), "192.0.2.7");
  assertEquals(addressKey("64:ff9b:1::192.0.2.7"), "64:ff9b:1:0::/64");
});

Deno.test("address key: the key of an IPv6 address is its first 64 bits, in any spelling", () => {
  const same = [
    "2001:db8:1:2::1",
    "2001:DB8:1:2:ffff:ffff:ffff:ffff",
    "2001:0db8:0001:0002:0:0:0:0",
    "2001:db8:1:2::",
    "2001:db8:1:2:3:4:192.0.2.7",
    "2001:db8:1:2::1%eth0",
  ];
  for (const it of same) assertEquals(addressKey(it), "2001:db8:1:2::/64", it);
  assertEquals(addressKey("2001:db8::1"), "2001:db8:0:0::/64");
  assertEquals(addressKey("2001:db8:1:3::1"), "2001:db8:1:3::/64");
  assertEquals(addressKey("::1"), "0:0:0:0::/64");
});

Deno.test("address key: a link-local address is its own key", () => {
  assertEquals(addressKey("fe80::1%eth0"), "fe80::1%eth0");
  assertEquals(addressKey("fe80::2"), "fe80::2");
});

Deno.test("address key: accepts spaces, brackets and a port, as proxies write them", () => {
  for (const it of [" 192.0.2.7", "192.0.2.7:4711", "192.0.2.7:1 ", "[::ffff:192.0.2.7]:80"]) {
    assertEquals(addressKey(it), "192.0.2.7", it);
  }
  for (const it of [" 2001:db8:1:2::1", "[2001:db8:1:2::5]", "[2001:db8:1:2::6]:4711"]) {
    assertEquals(addressKey(it), "2001:db8:1:2::/64", it);
  }
});

Deno.test("address key: any other text is its own key, with a bounded length", () => {
  for (const it of ["alice", "", "tenant:99", "a:b", "::g", "[::1", "1::2::3"]) {
    assertEquals(addressKey(it), it);
  }
  assertEquals(addressKey("x".repeat(10_000)).length, 100);
  assertEquals(addressKey(":".repeat(10_000)).length, 100);
});
