/** Attacks on where a request goes: the Host header, and targets of every form (RFC 9112 §3.2). */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { createServer } from "node:http";
import {
  acceptUpgrade,
  type BindOptions,
  type ServerRequest,
  type WebSocketServer,
} from "../../src/server/mod.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { testEntries } from "../server/entries.ts";
import { requestText, withServer } from "../server/support.ts";
import { closeServer, listen } from "../support/loopback.ts";

/** Invalid values of the Host header. */
const NO_HOSTS = [
  ...["x/admin?", "x/admin", "x?", "x#", "x\\admin", "u@x", "x:y", "x:80:81", "x:-1", "x:99999"],
  ...["", "a b", "a,b", "[::1", "::1", "[::1]x", "[::z]", "<x>", "x%", "%2f", "x\xe9", '"x"', "x|"],
];

/** The status and body of the answer to a plain request. */
async function answerOf(
  server: { readonly url: string },
  line: string,
  fields: readonly string[],
): Promise<[status: number, body: string]> {
  const client = new RawClient(server.url);
  client.socket.write([line, ...fields, "Connection: close", "", ""].join("\r\n"), "latin1");
  await client.response();
  await client.end();
  const { head } = client;
  const body = client.body.toString();
  await client.destroy();
  // The servers of two runtimes send the body in chunks.
  const text = /^transfer-encoding: chunked/im.test(head) ? body.split("\r\n")[1] ?? "" : body;
  return [Number(head.split(" ")[1]), text];
}

/** Answers with the request as the handler of plain requests saw it. */
function withPages(
  body: (server: WebSocketServer, seen: string[]) => Promise<void>,
  options: BindOptions = {},
): Promise<void> {
  const seen: string[] = [];
  const onRequest = ({ url }: Request): Response => {
    seen.push(url);
    return new Response(url);
  };
  return withServer({ ...options, onRequest }, (server) => body(server, seen));
}

Deno.test("attack 51: a plain request with an invalid Host gets a 400, and no handler is called", () =>
  withPages(async (server, seen) => {
    for (const host of NO_HOSTS) {
      const [status] = await answerOf(server, "GET /public HTTP/1.1", [`Host: ${host}`]);
      assertEquals([status, seen], [400, []], JSON.stringify(host));
    }
    for (const fields of [["Host: a", "Host: b"], ["Host: a", "Host: a"], []]) {
      const [status] = await answerOf(server, "GET /public HTTP/1.1", fields);
      assertEquals([status, seen], [400, []], fields.join());
    }
  }));

testEntries("attack 51: an upgrade with an invalid Host gets a 400", (entry) => {
  let asked = 0;
  const verify = (): boolean => {
    asked++;
    return true;
  };
  return entry.run({ verify }, async ({ url, channels }) => {
    const lists = NO_HOSTS.map((host): string | string[] => host);
    for (const Host of [...lists, ["a", "b"], ["a", "a"]]) {
      const client = new RawClient(url);
      client.socket.write(requestText({ Host }), "latin1");
      assertStringIncludes(await client.response(), " 400 ", JSON.stringify(Host));
      await client.destroy();
    }
    assertEquals([asked, channels.length], [0, 0]);
  });
}, { acceptStreams: "the proxy of the tests reads the Host itself" });

Deno.test("attack 51: the server reads the path only from the target, with any Host", () =>
  withPages(async (server) => {
    const hosts: [host: string, seen: string][] = [
      ["a.example", "a.example"],
      ["A.example:8080", "a.example:8080"],
      ["a.example:", "a.example"],
      ["[::1]:81", "[::1]:81"],
      ["a_b.example", "a_b.example"],
      ["xn--mnchen-3ya.example", "xn--mnchen-3ya.example"],
    ];
    const targets: [target: string, seen: string][] = [
      ["/public", "/public"],
      ["//evil.example/x", "//evil.example/x"],
      ["/a/../b?c=//d/?e", "/b?c=//d/?e"],
      ["/@evil.example", "/@evil.example"],
      ["/:80/x", "/:80/x"],
    ];
    for (const [host, seenHost] of hosts) {
      for (const [target, seen] of targets) {
        const answer = await answerOf(server, `GET ${target} HTTP/1.1`, [`Host: ${host}`]);
        assertEquals(answer, [200, `http://${seenHost}${seen}`]);
      }
    }
  }));

Deno.test("attack 51: RFC 9112 §3.2.2: an absolute target is accepted, and its authority wins", () =>
  withPages(async (server) => {
    const targets: [target: string, seen: string | null][] = [
      ["http://a.example:81/x?y", "http://a.example:81/x?y"],
      ["HTTP://A.example/x", "http://a.example/x"],
      ["http://a.example", "http://a.example/"],
      ["http://a.example?y", "http://a.example/?y"],
      ["https://a.example/x", "http://a.example/x"],
      ["http://user@a.example/x", null],
      ["http://a.example:99999/x", null],
      ["ftp://a.example/x", null],
      ["http:///x", null],
      ["/x#fragment", null],
      ["*", null],
    ];
    for (const [target, seen] of targets) {
      const answer = await answerOf(server, `GET ${target} HTTP/1.1`, ["Host: other.example"]);
      const [status, body] = answer;
      assertEquals(
        [status, status === 200 ? body : null],
        [seen === null ? 400 : 200, seen],
        target,
      );
    }
    // RFC 9112 §3.2: an invalid or missing Host is a 400, whatever the target.
    for (const fields of [["Host: x/admin?"], []]) {
      const [status] = await answerOf(server, "GET http://a.example/x HTTP/1.1", fields);
      assertEquals(status, 400, fields.join());
    }
    // RFC 9112 §3.2: a client of HTTP/1.0 may send no Host.
    const old = await answerOf(server, "GET /x HTTP/1.0", []);
    assertEquals(old, [200, "http://localhost/x"]);
  }));

testEntries(
  "attack 51: the server compares the origin with the absolute target of an upgrade",
  async (entry) => {
    // Bun.serve doesn't report the target's authority, and shows the Host header instead.
    const hidden = entry.name === "bunWebSocket";
    const seen: string[] = [];
    const options = {
      hosts: false as const,
      verify: ({ url }: ServerRequest) => seen.push(url.href) > 0,
    };
    const answer = async (
      url: string,
      target: string,
      host: string,
      page: string,
    ): Promise<string> => {
      const client = new RawClient(url);
      const changes = { Host: host, Origin: page };
      client.socket.write(requestText(changes, `GET ${target} HTTP/1.1`));
      const status = (await client.response()).split(" ")[1] ?? "";
      await client.destroy();
      return status;
    };
    await entry.run(options, async ({ url }) => {
      const target = "http://a.example:81/x?y";
      const own = await answer(url, target, "b.example", "http://a.example:81");
      const other = await answer(url, target, "b.example", "http://b.example");
      assertEquals(
        [own, other, seen.splice(0)],
        hidden ? ["403", "101", ["ws://b.example/x?y"]] : ["101", "403", ["ws://a.example:81/x?y"]],
      );
      const bad = ["http://user@a.example/", "http://a.example:x/", "/x#y", "ftp://a.example/"];
      for (const it of hidden ? ["/x#y"] : bad) {
        assertEquals(await answer(url, it, "b.example", "http://b.example"), "400", it);
      }
      assertEquals(seen, []);
    });
  },
  { acceptStreams: "HTTP/2 has no absolute targets, but :authority" },
);

Deno.test("attack 51: the server's path is compared with the path of an absolute target", () =>
  withServer({ path: "/chat" }, async ({ url }) => {
    const lines: [target: string, status: string][] = [
      ["/chat?room=1", "101"],
      ["http://localhost/chat?room=1", "101"],
      ["http://localhost/other", "404"],
      ["/other?/chat", "404"],
      ["http://user@localhost/chat", "400"],
    ];
    for (const [target, status] of lines) {
      const client = new RawClient(url);
      client.socket.write(requestText({}, `GET ${target} HTTP/1.1`));
      assertEquals((await client.response()).split(" ")[1], status, target);
      await client.destroy();
    }
  }));

Deno.test("attack 51: the request of a refused upgrade can be read, whatever the client sent", async () => {
  const server = createServer();
  const seen: string[] = [];
  server.on("upgrade", (request, socket, head) => {
    const channel = acceptUpgrade(request, socket, head);
    seen.push(channel.request.url.href);
    channel.ready.then(() => channel.terminate(), () => {});
  });
  const port = await listen(server);
  const url = `ws://127.0.0.1:${port}`;
  for (const [Host, target] of [["x/admin?", "/a"], ["[::1", "/b"], ["x", "/c#d"], [null, "/e"]]) {
    const client = new RawClient(url);
    client.socket.write(requestText({ Host: Host ?? null }, `GET ${target} HTTP/1.1`));
    assertStringIncludes(await client.response(), " 400 ");
    await client.destroy();
  }
  await closeServer(server);
  assertEquals(seen, ["ws://invalid/a", "ws://invalid/b", "ws://x/", "ws://invalid/e"]);
});
