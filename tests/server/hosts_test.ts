import { assertEquals, assertThrows } from "@std/assert";
import { checkHosts, foreignHost, type HostPolicy, isHostAllowed } from "../../src/server/hosts.ts";
import { UpgradeServerRequest } from "../../src/server/server_request.ts";

function allowed(
  policy: HostPolicy | undefined,
  host: string,
  { isLocal = true, origin = "http://a" }: { isLocal?: boolean; origin?: string | null } = {},
): boolean | Promise<boolean> {
  const raw = origin === null ? [] : ["Origin", origin];
  const remote = { scheme: "ws", address: null, port: null, isLocal } as const;
  return isHostAllowed(host, new UpgradeServerRequest("/", raw, remote), checkHosts(policy));
}

Deno.test("by default the Host must name localhost when a page connects to a loopback address", () => {
  const own = [
    ...["localhost", "LocalHost:80", "localhost.", "a.b.localhost:1", "127.0.0.1", "127.9.9.9:1"],
    ...["[::1]", "[0:0:0:0:0:0:0:1]:1", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433"],
  ];
  const foreign = [
    ...["evil.example", "localhost.example", "xlocalhost", "127.0.0.1.example", "128.0.0.1"],
    ...["[::2]", "[::ffff:128.0.0.1]", "0.0.0.0", "[::]", "192.168.0.1"],
  ];
  for (const host of own) assertEquals(allowed(undefined, host), true, host);
  for (const host of foreign) {
    assertEquals(allowed(undefined, host), false, host);
    assertEquals(allowed(undefined, host, { isLocal: false }), true, host);
    assertEquals(allowed(undefined, host, { origin: null }), true, host);
    assertEquals(allowed(false, host), true, host);
  }
});

Deno.test("a list of hosts applies to every request, in any letter case and with any port", () => {
  const list = [
    "Example.com",
    "api.example:8443",
    "tls.example:443",
    "plain.example:080",
    "[::1]:9",
  ];
  const own = [
    ...["example.COM", "example.com:1", "example.com.:2", "api.example:8443", "tls.example:443"],
    ...["tls.example", "plain.example:80", "plain.example", "[0::1]:9"],
  ];
  const foreign = [
    ...["a.example.com", "example.com.evil", "api.example", "api.example:8444", "tls.example:80"],
    ...["[::1]", "localhost"],
  ];
  for (const more of [{}, { isLocal: false }, { origin: null }]) {
    for (const host of own) assertEquals(allowed(list, host, more), true, host);
    for (const host of foreign) assertEquals(allowed(list, host, more), false, host);
    assertEquals(allowed([], "localhost", more), false);
  }
});

Deno.test("an invalid list of hosts is a TypeError that names the option", () => {
  const bad = ["https://a", "a/b", "*.a", "u@a", "", "a b", 1, null, undefined];
  for (const entry of bad) {
    assertThrows(() => checkHosts([entry as string]), TypeError, "option hosts", `${entry}`);
  }
  for (const policy of ["a", true, 1, null, {}]) {
    assertThrows(() => checkHosts(policy as unknown as string[]), TypeError, "option hosts");
  }
});

Deno.test("a refusal because of the host names the host and the option, with a bounded length", () => {
  const { status, body } = foreignHost("evil.example:8080", undefined);
  assertEquals(status, 403);
  assertEquals(
    body,
    "Cannot serve the host evil.example:8080: a page named it, and the address it came in by is a loopback one " +
      "or not known; list the host in the server's option `hosts`\n",
  );
  assertEquals(foreignHost("x".repeat(10_000), []).body.length < 350, true);
});
