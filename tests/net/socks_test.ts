import { assertEquals, assertMatch } from "@std/assert";
import type { ConnectError, LookupFunction } from "../../src/net/mod.ts";
import { type SocksManners, startSocks, startTls } from "../support/net_peers.ts";
import { startRecipe } from "../support/recipes.ts";
import { assertReaches, certificates, connectFailure, withAll } from "./support.ts";

const { authority, local } = certificates();

function known(...addresses: string[]): LookupFunction {
  const list = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  return (_host, _options, callback) => callback(null, list);
}

Deno.test("SOCKS5 RFC 1928: socks5: sends an address, socks5h: sends the name", async () => {
  await withAll([await startRecipe("echo"), await startSocks()], async (echo, proxy) => {
    const { port } = new URL(echo.url);
    const at = `127.0.0.1:${proxy.port}`;
    await assertReaches(`ws://localhost:${port}`, {
      proxy: `socks5://${at}`,
      lookup: known("127.0.0.1"),
    });
    await assertReaches(`ws://name.test:${port}`, { proxy: `socks5h://${at}` });
    await assertReaches(`ws://127.0.0.1:${port}`, { proxy: new URL(`socks5h://${at}`) });
    assertEquals(proxy.asked, ["127.0.0.1", "name.test", "127.0.0.1"]);
    const hex = Number(port).toString(16).padStart(4, "0");
    assertEquals(proxy.messages, [
      ...["050100", `050100017f000001${hex}`],
      ...["050100", `05010003096e616d652e74657374${hex}`],
      ...["050100", `050100017f000001${hex}`],
    ]);
  });
});

Deno.test("SOCKS5: sends an IPv6 address", async () => {
  const refuse = (): string => "05050001000000000000";
  await withAll([await startSocks({ reply: refuse })], async ({ port, asked, messages }) => {
    for (const host of ["[2001:db8::1]", "[::ffff:1.2.3.4]"]) {
      await connectFailure(`ws://${host}:80`, { proxy: `socks5://127.0.0.1:${port}` });
    }
    assertEquals(asked, [
      "2001:0db8:0000:0000:0000:0000:0000:0001",
      "0000:0000:0000:0000:0000:ffff:0102:0304",
    ]);
    assertEquals(messages[1], `05010004${"20010db8000000000000000000000001"}0050`);
  });
});

Deno.test("SOCKS5 RFC 1929: sends credentials, and reads answers in any chunks", async () => {
  const login = "üser:p@ss";
  await withAll(
    [await startRecipe("echo"), await startSocks({ login, bytewise: true })],
    async (echo, { port, logins, messages }) => {
      const proxy = `socks5://%C3%BCser:p%40ss@127.0.0.1:${port}`;
      await assertReaches(echo.url, { proxy });
      assertEquals([logins, messages[0]], [[login], "05020002"]);
      assertEquals((await echo.next("request")).headers["authorization"], undefined);
      const error = await connectFailure(echo.url, { proxy: proxy.replace("p%40ss", "secret") });
      assertEquals([error.phase, error.retryable], ["proxy", false]);
      assertEquals(
        error.message,
        `Cannot connect to ${echo.url}/: the proxy socks5://127.0.0.1:${port}: ` +
          "it doesn't accept the credentials of its URL",
      );
    },
  );
});

Deno.test("SOCKS5: TLS works inside the tunnel", async () => {
  const echo = await startRecipe("echo");
  await withAll(
    [echo, await startTls(echo.url, local), await startSocks()],
    async (_, peer, { port, asked }) => {
      const options = { tls: { ca: authority.cert }, proxy: `socks5h://127.0.0.1:${port}` };
      await assertReaches(`wss://localhost:${peer.port}`, options);
      assertEquals([asked, peer.seen[0]?.servername], [["localhost"], "localhost"]);
    },
  );
});

Deno.test("SOCKS5: tries the next address when the proxy can't reach one", async () => {
  const reply = (host: string): string | undefined =>
    host.startsWith("2001") ? "05040001000000000000" : undefined;
  await withAll([await startRecipe("echo"), await startSocks({ reply })], async (echo, proxy) => {
    const { port } = new URL(echo.url);
    const options = { proxy: `socks5://127.0.0.1:${proxy.port}` };
    await assertReaches(`ws://a.test:${port}`, {
      ...options,
      lookup: (host, _options, callback) =>
        known(...host === "a.test" ? ["2001:db8::1", "127.0.0.1"] : ["127.0.0.1"])(
          host,
          _options,
          callback,
        ),
    });
    assertEquals(proxy.asked.length, 2);
    const error = await connectFailure("ws://[2001:db8::1]", options);
    assertMatch(error.message, /: it can't reach the server$/);
    assertEquals(error.retryable, true);
  });
});

Deno.test("SOCKS5: the error has each address's refusal when the proxy reaches none", async () => {
  const replies: Record<string, string> = {
    "192.0.2.1": "04",
    "192.0.2.2": "05",
    "192.0.2.3": "02",
  };
  const reply = (host: string): string => `05${replies[host]}0001000000000000`;
  await withAll([await startSocks({ reply })], async (proxy) => {
    const told = async (...addresses: string[]): Promise<ConnectError> =>
      await connectFailure("ws://a.test", {
        proxy: `socks5://127.0.0.1:${proxy.port}`,
        lookup: (host, options, callback) =>
          known(...host === "a.test" ? addresses : [host])(host, options, callback),
      });
    const where = `Cannot connect to ws://a.test/: the proxy socks5://127.0.0.1:${proxy.port}: `;
    const error = await told("192.0.2.1", "192.0.2.2");
    assertEquals(
      error.message,
      `${where}192.0.2.1: it can't reach the server; 192.0.2.2: the server refused its connection`,
    );
    assertEquals([error.phase, error.retryable], ["proxy", true]);
    // An address that the proxy's rules forbid ends the attempt.
    const forbidden = await told("192.0.2.1", "192.0.2.3", "192.0.2.2");
    assertEquals(
      forbidden.message,
      `${where}192.0.2.1: it can't reach the server; 192.0.2.3: its rules don't allow the connection`,
    );
    const single = await told("192.0.2.3");
    assertEquals([single.message, single.retryable], [
      `${where}its rules don't allow the connection`,
      false,
    ]);
  });
});

const faults: [name: string, manners: SocksManners, fault: string][] = [
  ["no SOCKS", { method: "485454502f312e31203430300d0a" }, "it doesn't speak SOCKS5"],
  ["SOCKS4", { method: "005b" }, "it doesn't speak SOCKS5"],
  ["endless bytes", { method: "05".repeat(5000) }, "it doesn't speak SOCKS5"],
  [
    "no method",
    { method: "05ff" },
    "it requires credentials, or refuses this client. " +
    "Set credentials in the proxy's URL",
  ],
  ["a method it wasn't offered", { method: "0502" }, "it chose a method that was not offered"],
  ["an end at once", { endsAfter: 1 }, "it ended the connection without an answer"],
  ["an end later", { endsAfter: 2 }, "it ended the connection without an answer"],
  [
    "a rule that forbids the connection",
    { reply: () => "05020001000000000000" },
    "its rules don't allow the connection",
  ],
  ["an unknown reply", { reply: () => "05630001000000000000" }, "it refused with the code 99"],
  ["half a reply", { reply: () => "0500000100" }, "it ended the connection without an answer"],
  ["a wrong reply", { reply: () => "04000001000000000000" }, "it doesn't speak SOCKS5"],
  [
    "bytes after the reply",
    { extra: "485454502f" },
    "it sent data into the tunnel before the server did",
  ],
];
for (const [name, manners, fault] of faults) {
  Deno.test(`attack 31 SOCKS5: ${name}`, async () => {
    await withAll(
      [await startRecipe("echo"), await startSocks(manners)],
      async (echo, { port }) => {
        const error = await connectFailure(echo.url, { proxy: `socks5h://127.0.0.1:${port}` });
        assertEquals([error.phase, error.status], ["proxy", null]);
        assertEquals(
          error.message,
          `Cannot connect to ${echo.url}/: the proxy socks5h://127.0.0.1:${port}: ${fault}`,
        );
      },
    );
  });
}

Deno.test("SOCKS5: the error says that the proxy accepts no method despite credentials", async () => {
  await withAll([await startSocks({ method: "05ff" })], async ({ port }) => {
    const error = await connectFailure("ws://a.test", { proxy: `socks5h://u:p@127.0.0.1:${port}` });
    assertMatch(
      error.message,
      /: it supports neither a login with user name and password nor clients without login$/,
    );
  });
});

Deno.test("SOCKS5: values that are too long fail", async () => {
  await withAll([await startSocks()], async ({ port, messages }) => {
    const long = "x".repeat(256);
    for (
      const [url, proxy, fault] of [
        ["ws://a.test", `socks5h://${long}:p@127.0.0.1:${port}`, "its user name has 256 bytes"],
        ["ws://a.test", `socks5h://u:${long}@127.0.0.1:${port}`, "its password has 256 bytes"],
        [
          `ws://${`${"y".repeat(62)}.`.repeat(5)}test`,
          `socks5h://127.0.0.1:${port}`,
          "the server's name has 319 bytes",
        ],
      ] as const
    ) {
      const error = await connectFailure(url, { proxy });
      assertMatch(error.message, new RegExp(`: ${fault}, SOCKS5 takes at most 255$`));
    }
    assertEquals(messages, []);
  });
});

Deno.test("SOCKS5: the error doesn't name the proxy when the local lookup fails", async () => {
  await withAll([await startSocks()], async ({ port, connections }) => {
    const error = await connectFailure("ws://no-such.invalid", {
      proxy: `socks5://127.0.0.1:${port}`,
    });
    assertEquals([error.phase, error.message, connections], [
      "dns",
      "Cannot connect to ws://no-such.invalid/: the host can't be found",
      0,
    ]);
  });
});
