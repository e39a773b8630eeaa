import { assertEquals } from "@std/assert";
import {
  bareHost,
  type Environment,
  environmentProxy,
  isExempt,
} from "../../src/net/environment_proxy.ts";

Deno.test("environment proxy: the scheme selects the variable", () => {
  const cases: [url: string, environment: Environment, proxy: string | null][] = [
    ["wss://a.test", {}, null],
    ["wss://a.test", { https_proxy: "http://p:1" }, "http://p:1"],
    ["wss://a.test", { HTTPS_PROXY: "http://p:1" }, "http://p:1"],
    ["wss://a.test", { https_proxy: "http://p:1", HTTPS_PROXY: "http://p:2" }, "http://p:1"],
    ["wss://a.test", { http_proxy: "http://p:1" }, null],
    ["ws://a.test", { https_proxy: "http://p:1" }, null],
    ["ws://a.test", { http_proxy: "http://p:1" }, "http://p:1"],
    ["ws://a.test", { HTTP_PROXY: "http://p:1" }, "http://p:1"],
    // In a CGI program, HTTP_PROXY comes from a header field of the request.
    ["ws://a.test", { HTTP_PROXY: "http://p:1", REQUEST_METHOD: "GET" }, null],
    ["ws://a.test", { http_proxy: "http://p:1", REQUEST_METHOD: "GET" }, "http://p:1"],
    ["wss://a.test", { HTTPS_PROXY: "http://p:1", REQUEST_METHOD: "GET" }, "http://p:1"],
    ["ws://a.test", { all_proxy: "http://p:1" }, "http://p:1"],
    ["wss://a.test", { ALL_PROXY: "socks5://p:1" }, "socks5://p:1"],
    ["wss://a.test", { all_proxy: "http://p:1", https_proxy: "http://p:2" }, "http://p:2"],
    ["wss://a.test", { https_proxy: "", HTTPS_PROXY: "http://p:1" }, "http://p:1"],
    ["wss://a.test", { https_proxy: "p:3128" }, "http://p:3128"],
    ["wss://a.test", { https_proxy: "u:p@p:3128" }, "http://u:p@p:3128"],
    ["wss://a.test", { https_proxy: "http://p:1", no_proxy: "a.test" }, null],
    ["wss://a.test", { https_proxy: "http://p:1", NO_PROXY: "b.test,a.test" }, null],
    ["wss://a.test", { https_proxy: "http://p:1", NO_PROXY: "b.test" }, "http://p:1"],
  ];
  for (const [url, environment, proxy] of cases) {
    assertEquals(environmentProxy(new URL(url), environment), proxy, JSON.stringify(environment));
  }
});

Deno.test("attack 31 NO_PROXY: each element exempts its hosts", () => {
  const cases: [list: string, exempt: string[], not: string[]][] = [
    ["", [], ["ws://a.test"]],
    [" , ,", [], ["ws://a.test"]],
    ["*", ["ws://a.test", "wss://[::1]:1", "ws://10.0.0.1"], []],
    [
      "example.com",
      ["ws://example.com", "ws://EXAMPLE.com:1", "wss://a.b.example.com", "ws://example.com."],
      ["ws://notexample.com", "ws://example.com.evil.test", "ws://example.org", "ws://com"],
    ],
    [".example.com", ["ws://example.com", "ws://a.example.com"], ["ws://anexample.com"]],
    ["*.example.com", ["ws://example.com", "ws://a.example.com"], ["ws://anexample.com"]],
    ["Example.COM.", ["ws://example.com"], []],
    ["a.test, b.test\tc.test", ["ws://a.test", "ws://b.test", "ws://c.test"], ["ws://d.test"]],
    ["a.test:80", ["ws://a.test", "ws://a.test:80"], ["wss://a.test", "ws://a.test:81"]],
    ["a.test:443", ["wss://a.test"], ["ws://a.test"]],
    ["a.test:8080", ["ws://a.test:8080", "ws://x.a.test:8080"], ["ws://a.test"]],
    [".", [], ["ws://a.test", "ws://localhost"]],
    ["10.0.0.1", ["ws://10.0.0.1", "ws://0x0a000001"], ["ws://10.0.0.10", "ws://110.0.0.1"]],
    ["0.0.1", [], ["ws://10.0.0.1"]],
    ["10.0.0.1:81", ["ws://10.0.0.1:81"], ["ws://10.0.0.1"]],
    ["10.0.0.0/8", ["ws://10.255.1.2"], ["ws://11.0.0.1", "ws://a.test", "ws://[::a00:1]"]],
    ["192.168.1.0/25", ["ws://192.168.1.127"], ["ws://192.168.1.128"]],
    ["0.0.0.0/0", ["ws://1.2.3.4"], ["ws://[::1]", "ws://a.test"]],
    ["10.0.0.0/33", [], ["ws://10.0.0.0"]],
    ["::1", ["ws://[::1]", "ws://[0:0:0:0:0:0:0:1]:9"], ["ws://[::2]", "ws://1.1.1.1"]],
    ["[::1]", ["ws://[::1]"], []],
    ["[::1]:81", ["ws://[::1]:81"], ["ws://[::1]"]],
    ["fe80::/10", ["ws://[fe80::1]", "ws://[febf::1]"], ["ws://[fec0::1]"]],
    ["2001:db8::/32", ["ws://[2001:db8:ffff::1]"], ["ws://[2001:db9::1]"]],
    ["::ffff:1.2.3.4", ["ws://[::ffff:102:304]"], []],
    ["a.test/8", [], ["ws://a.test"]],
    ["1.2.3.4.5:x", [], ["ws://1.2.3.4"]],
    [":::", [], ["ws://[::1]"]],
  ];
  for (const [list, exempt, not] of cases) {
    for (const url of exempt) assertEquals(isExempt(new URL(url), list), true, `${list}: ${url}`);
    for (const url of not) assertEquals(isExempt(new URL(url), list), false, `${list}: ${url}`);
  }
});

Deno.test("bare host: has no brackets, no trailing dot and no capitals", () => {
  assertEquals(["[::1]", "A.test.", "127.0.0.1"].map(bareHost), ["::1", "a.test", "127.0.0.1"]);
});
