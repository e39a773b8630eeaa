/**
 * Attacks by DNS rebinding: the attacker points a page's own name to a loopback address, so that the page's
 * origin and the Host header match.
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { createServer } from "node:http";
import { acceptUpgrade, upgradeWebSocket } from "../../src/server/mod.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { testEntries } from "../server/entries.ts";
import { requestText, withServer } from "../server/support.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { closeServer, listen } from "../support/loopback.ts";

/** The status and the text of the answer to an upgrade. */
async function answerTo(
  url: string,
  host: string,
  origin: string | null = `http://${host}`,
): Promise<[status: number, body: string]> {
  const client = new RawClient(url);
  client.socket.write(requestText({ Host: host, Origin: origin }));
  const head = await client.response();
  const status = Number(head.split(" ")[1]);
  if (status !== 101) {
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    // On Deno.serve a refusal announces one byte more than it sends.
    while (client.body.length < length && !client.hasEnded) {
      await client.hex(client.body.length + 1).catch(() => {});
    }
  }
  const body = client.body.toString();
  await client.destroy();
  return [status, body];
}

testEntries(
  "attack 52: a loopback server refuses a page that reached it by another name",
  (entry) =>
    entry.run({}, async ({ url, channels }) => {
      const { port } = new URL(url);
      const foreign = [
        ...[`evil.example:${port}`, "evil.example", "localhost.evil.example", "evil-localhost"],
        ...["127.0.0.1.evil.example", "192.0.2.1", "[2001:db8::1]", "0.0.0.0", "[::]", "10.0.0.1"],
      ];
      for (const host of foreign) {
        const [status, body] = await answerTo(url, host);
        assertEquals(status, 403, host);
        assertStringIncludes(body, "`hosts`");
        assertStringIncludes(body, host);
      }
      assertEquals(channels.length, 0);
      const own = [
        ...[`localhost:${port}`, "localhost", "LOCALHOST.", "app.localhost:8080", "127.0.0.1"],
        ...[`127.1.2.3:${port}`, `[::1]:${port}`, "[::ffff:127.0.0.1]"],
      ];
      for (const host of own) assertEquals((await answerTo(url, host))[0], 101, host);
      // A client that isn't a page sends no Origin, and could send any Host.
      assertEquals((await answerTo(url, "evil.example", null))[0], 101);
    }),
);

testEntries(
  "attack 52: hosts lists the hosts that a request may name, with an Origin or without",
  async (entry) => {
    const hosts = ["example.com", "API.example:8443", "[2001:db8::1]"];
    const own = [
      ...[
        "example.com",
        "EXAMPLE.com:8080",
        "example.com.",
        "api.example:8443",
        "[2001:DB8:0::1]:9",
      ],
    ];
    const foreign = ["evil.example", "a.example.com", "api.example", "localhost", "127.0.0.1"];
    await entry.run({ hosts }, async ({ url }) => {
      for (const host of own) {
        assertEquals((await answerTo(url, host))[0], 101, host);
        assertEquals((await answerTo(url, host, null))[0], 101, host);
      }
      for (const host of foreign) {
        for (const origin of [`http://${host}`, null]) {
          const [status, body] = await answerTo(url, host, origin);
          assertEquals(status, 403, host);
          assertStringIncludes(body, "`hosts`");
        }
      }
      assertEquals((await answerTo(url, "example.com", "http://evil.example"))[0], 403);
    });
    await entry.run({ hosts: false }, async ({ url }) => {
      assertEquals((await answerTo(url, "evil.example"))[0], 101);
    });
    const asked: unknown[] = [];
    await entry.run({
      hosts: (host, request) => {
        asked.push([host, request.headers.get("host")]);
        return host === "example.com:81";
      },
    }, async ({ url }) => {
      assertEquals((await answerTo(url, "Example.com:81"))[0], 101);
      assertEquals((await answerTo(url, "example.com"))[0], 403);
    });
    assertEquals(asked, [["example.com:81", "Example.com:81"], ["example.com", "example.com"]]);
  },
);

Deno.test("attack 52: hosts applies to plain requests, too", async () => {
  const seen: string[] = [];
  const onRequest = ({ url }: Request): Response => {
    seen.push(new URL(url).host);
    return new Response("secret");
  };
  const status = async (url: string, host: string, origin?: string): Promise<number> => {
    const client = new RawClient(url);
    const page = origin === undefined ? "" : `Origin: ${origin}\r\n`;
    client.socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n${page}Connection: close\r\n\r\n`);
    const head = await client.response();
    await client.destroy();
    return Number(head.split(" ")[1]);
  };
  await withServer({ onRequest }, async ({ url }) => {
    assertEquals(await status(url, "evil.example", "http://evil.example"), 403);
    assertEquals(seen.splice(0), []);
    assertEquals(await status(url, "localhost", "http://localhost"), 200);
    assertEquals(await status(url, "proxied.example"), 200);
    assertEquals(seen.splice(0), ["localhost", "proxied.example"]);
  });
  await withServer({ onRequest, hosts: ["example.com"] }, async ({ url }) => {
    assertEquals(await status(url, "evil.example"), 403);
    assertEquals(await status(url, "example.com", "http://example.com"), 200);
    assertEquals(seen.splice(0), ["example.com"]);
  });
  const reports: unknown[] = [];
  const cause = new Error("a fault of the user's");
  await withServer({
    onRequest,
    hosts: () => Promise.reject(cause),
    onError: (error, { where, request }) => reports.push([error, where, request?.url.href]),
  }, async ({ url }) => {
    assertEquals(await status(url, "example.com"), 500);
    assertEquals([seen, reports], [[], [[cause, "hosts", "http://example.com/"]]]);
  });
});

Deno.test("attack 52: clients can reach every server by loopback", () =>
  withServer({ hostname: "0.0.0.0" }, async ({ url }) => {
    assertEquals((await answerTo(url, "evil.example"))[0], 403);
  }));

Deno.test("attack 52: a request that didn't arrive by loopback may name any host", async () => {
  const server = createServer();
  let local: string | undefined;
  server.on("upgrade", (request, socket, head) => {
    Object.defineProperty(socket, "localAddress", { value: local });
    const channel = acceptUpgrade(request, socket, head);
    channel.ready.then(() => channel.terminate(), () => {});
  });
  const port = await listen(server);
  const url = `ws://127.0.0.1:${port}`;
  const statuses: [address: string | undefined, status: number][] = [
    ["192.0.2.1", 101],
    ["2001:db8::1", 101],
    ["127.0.0.1", 403],
    ["::ffff:127.0.0.1", 403],
    ["::1", 403],
    // The address of a Unix socket: its proxy runs on this machine.
    [undefined, 403],
  ];
  for (const [address, status] of statuses) {
    local = address;
    assertEquals((await answerTo(url, "public.example"))[0], status, address);
  }
  await closeServer(server);
});

Deno.test({
  name: "attack 52: without info, upgradeWebSocket treats the address as loopback",
  ignore: platform() !== "deno",
  fn: async () => {
    const server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      async (it) => {
        const { response, channel } = await upgradeWebSocket(it);
        channel?.terminate();
        return response;
      },
    );
    const url = `ws://127.0.0.1:${server.addr.port}`;
    assertEquals((await answerTo(url, "public.example"))[0], 403);
    assertEquals((await answerTo(url, "localhost"))[0], 101);
    await server.shutdown();
  },
});

testEntries("attack 52: origin can list origins that no web page has", (entry) => {
  const origin = [
    "file://",
    "app://bundle",
    "tauri://localhost",
    "null",
    "https://Example.com:443",
  ];
  return entry.run({ origin }, async ({ url }) => {
    for (const page of [...origin.slice(0, -1), "https://example.com"]) {
      assertEquals((await answerTo(url, "localhost", page))[0], 101, page);
    }
    for (const page of ["file:///etc", "app://", "app://bundle2", "tauri://evil", ""]) {
      const [status, body] = await answerTo(url, "localhost", page);
      assertEquals(status, 403, page);
      assertStringIncludes(body, "`origin`");
    }
  });
});
