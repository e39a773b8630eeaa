import { assertEquals } from "@std/assert";
import { HeaderMap } from "../../src/handshake/header_map.ts";
import { seededRandom } from "../support/random.ts";
import { isHost, readTarget, splitTarget } from "../../src/handshake/request_target.ts";

Deno.test("A host is a name or an address, with or without a port", () => {
  const yes = [
    ...["a", "A.example", "a.example.", "a_b", "a:80", "a:", "127.0.0.1:1", "[::1]", "[::1]:65535"],
    ...["xn--mnchen-3ya.example", "%61.example"],
  ];
  const no = [
    ...[
      "",
      " ",
      "a b",
      "a,b x",
      "a/b",
      "a?",
      "a#",
      "a\\b",
      "u@a",
      "a:b",
      "a:1:2",
      "a:65536",
      ":80",
    ],
    ...[
      "[::1",
      "::1",
      "[]",
      "[g::]",
      "[::1]a",
      "1.2.3.4.5",
      "256.0.0.1",
      "%2f",
      "m\u00fcnchen",
      "a\n",
    ],
  ];
  for (const text of yes) assertEquals(isHost(text), true, text);
  for (const text of no) assertEquals(isHost(text), false, text);
  assertEquals(isHost(null), false);
});

Deno.test("RFC 9110 §7.2: a host is valid if a URL accepts it", () => {
  const random = seededRandom();
  const parts = [
    "a",
    "A1",
    "1",
    "01",
    "099",
    "199",
    "200",
    "255",
    "256",
    "0x7f",
    "-",
    "b-",
    "xn--",
    "xn--mnchen-3ya",
  ];
  const ends = [
    "",
    ".",
    ":",
    ":0",
    ":80",
    ":9999",
    ":10000",
    ":59999",
    ":65535",
    ":65536",
    ":099999",
  ];
  const pick = (list: string[]): string => list[random.integer(0, list.length - 1)] as string;
  for (let i = 0; i < 5000; i++) {
    const text = Array.from({ length: random.integer(1, 5) }, () => pick(parts)).join(".") +
      pick(ends);
    assertEquals(isHost(text), URL.canParse(`http://${text}`), `${text}, seed ${random.seed}`);
  }
});

Deno.test("RFC 9112 §3.2: a target is a path, or an absolute URL with its own host", () => {
  assertEquals(splitTarget("/"), { host: null, path: "/" });
  assertEquals(splitTarget("//b/c?d=http://e"), { host: null, path: "//b/c?d=http://e" });
  assertEquals(splitTarget("http://a:1/b?c"), { host: "a:1", path: "/b?c" });
  assertEquals(splitTarget("HTTPS://a"), { host: "a", path: "/" });
  assertEquals(splitTarget("ws://a?b"), { host: "a", path: "/?b" });
  assertEquals(splitTarget("wss://a//b"), { host: "a", path: "//b" });
  const bad = ["", "*", "a", "a:80", "/a#b", "ftp://a/", "http://", "http:///a", "http://u@a/"];
  for (const target of bad) assertEquals(splitTarget(target), null, target);
});

Deno.test("RFC 9112 §3.2.2: the host of a target replaces the Host header, which is still required once", () => {
  const read = (target: string, hosts: string[], version = "1.1"): string | undefined => {
    const headers = new HeaderMap(hosts.map((it): [string, string] => ["Host", it]));
    const goal = readTarget({ target, version, headers });
    return goal === null ? undefined : `${goal.host} ${goal.path}`;
  };
  assertEquals(read("/x", ["a"]), "a /x");
  assertEquals(read("http://b/x", ["a"]), "b /x");
  assertEquals(read("/x", ["x/admin?"]), undefined);
  assertEquals(read("http://b/x", ["x/admin?"]), undefined);
  assertEquals(read("/x#", ["a"]), undefined);
  assertEquals(read("/x", ["a", "a"]), undefined);
  assertEquals(read("/x", []), undefined);
  assertEquals(read("/x", [], "1.0"), "localhost /x");
});
