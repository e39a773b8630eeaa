/** Attacks on a server's opening handshake. Each refusal also ends the connection. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { RawClient, SAMPLE_KEY } from "../support/recipe_clients.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { nextChannel, refusalOf, requestText, upgraded, withServer } from "../server/support.ts";
import { until } from "../support/turns.ts";
import { deferred } from "../support/promises.ts";

Deno.test("attack 34: the server refuses a page of another host by default", async () => {
  await withServer({}, async (server) => {
    const host = server.url.slice("ws://".length);
    for (
      const [origin, status] of [
        ["https://evil.example", 403],
        [`http://${host}.evil.example`, 403],
        [`http://${host}@evil.example`, 403],
        ["null", 403],
        ["", 403],
        ["not an origin", 403],
        [["http://evil.example", `http://${host}`], 403],
      ] as const
    ) {
      const answer = await refusalOf(server, requestText({ Host: host, Origin: origin }));
      assertEquals(answer.status, status, String(origin));
      assertStringIncludes(answer.head, "Connection: close");
    }
    for (const lines of [[], [`Origin: http://${host}`], [`Origin: HTTPS://${host}`]]) {
      const client = new RawClient(server.url);
      client.socket.write(
        requestText({ Host: host }).replace(
          /\r\n$/,
          lines.map((it) => `${it}\r\n`).join("") + "\r\n",
        ),
      );
      assertStringIncludes(await client.response(), " 101 ", lines.join());
      await client.destroy();
    }
  });
});

Deno.test("attack 34: the option origin is a list, a function, or false", async () => {
  const evil = { Origin: "https://evil.example" };
  await withServer({ origin: ["https://good.example"] }, async (server) => {
    assertEquals((await refusalOf(server, requestText(evil))).status, 403);
    await (await upgraded(server, ["Origin: https://good.example"])).destroy();
  });
  await withServer({ origin: (origin) => origin.endsWith(".example") }, async (server) => {
    await (await upgraded(server, ["Origin: https://evil.example"])).destroy();
    assertEquals((await refusalOf(server, requestText({ Origin: "https://x" }))).status, 403);
  });
  await withServer({ origin: false }, async (server) => {
    await (await upgraded(server, ["Origin: https://evil.example"])).destroy();
  });
  const broken = (): boolean => {
    throw new Error("a fault of the user's");
  };
  await withServer({ origin: broken, onError: () => {} }, async (server) => {
    assertEquals((await refusalOf(server, requestText(evil))).status, 500);
  });
});

const SECOND = "GET /second HTTP/1.1\r\nHost: localhost\r\n\r\n";

Deno.test("attack 35: the server never reads a second request behind a refused upgrade", async () => {
  let requests = 0;
  const onRequest = (): Response => {
    requests++;
    return new Response("secret");
  };
  await withServer({ onRequest, verify: () => false }, async (server) => {
    for (const changes of [{}, { "Sec-WebSocket-Version": "777" }, { "Sec-WebSocket-Key": "x" }]) {
      const { head, body } = await refusalOf(server, requestText(changes) + SECOND);
      assert(/\r\nConnection: close/.test(head), head);
      assert(!body.includes("secret"), body);
    }
  });
  assertEquals(requests, 0);
});

Deno.test("attack 35: the server doesn't read bytes sent long after a refusal as a request", async () => {
  let requests = 0;
  await withServer({
    verify: () => false,
    onRequest: () => {
      requests++;
      return new Response("secret");
    },
  }, async (server) => {
    const client = new RawClient(server.url);
    client.socket.write(requestText());
    await client.end();
    client.socket.write(SECOND);
    client.socket.end();
    await client.closed();
    assert(!client.bytes.includes("secret"));
  });
  assertEquals(requests, 0);
});

Deno.test("attack 36: header fields that are missing, lists, or in another letter case", async () => {
  await withServer({}, async (server) => {
    const refusals: [changes: Record<string, string | null | string[]>, status: number][] = [
      [{ Upgrade: null }, 426],
      [{ Upgrade: "h2c" }, 426],
      [{ Connection: null }, 426],
      [{ Connection: "keep-alive" }, 426],
      [{ "Sec-WebSocket-Key": null }, 400],
      [{ "Sec-WebSocket-Key": [SAMPLE_KEY, SAMPLE_KEY] }, 400],
      [{ "Sec-WebSocket-Version": null }, 426],
      [{ "Sec-WebSocket-Version": ["13", "13"] }, 426],
    ];
    for (const [changes, status] of refusals) {
      const answer = await refusalOf(server, requestText(changes));
      assertEquals(answer.status, status, JSON.stringify(changes));
      assertStringIncludes(answer.head.toLowerCase(), "connection: close");
    }
    for (
      const changes of [
        { Upgrade: "WebSocket" },
        { Upgrade: "h2c, WEBSOCKET" },
        { Connection: "keep-alive, UPGRADE" },
        { Connection: ["keep-alive", "Upgrade"] },
      ]
    ) {
      const client = new RawClient(server.url);
      client.socket.write(requestText(changes));
      assertStringIncludes(await client.response(), " 101 ", JSON.stringify(changes));
      await client.destroy();
    }
  });
});

Deno.test("attack 36: thousands of header fields before Upgrade are handled", async () => {
  await withServer({}, async (server) => {
    const many = Array.from({ length: 1500 }, (_, i) => `a${i}: b\r\n`).join("");
    const text = requestText().replace("Upgrade: websocket", `${many}Upgrade: websocket`);
    const client = new RawClient(server.url);
    client.socket.write(text);
    const status = Number((await client.response()).split(" ")[1]);
    assert([101, 400, 426, 431].includes(status), String(status));
    await client.destroy();
    await (await upgraded(server)).destroy();
  });
});

Deno.test("attack 37: long whitespace costs little time, and names of prototype members mean nothing", async () => {
  await withServer({ protocols: ["chat"] }, async (server) => {
    const blanks = " ".repeat(7000);
    const client = new RawClient(server.url);
    client.socket.write(
      requestText({
        "Sec-WebSocket-Protocol": `x${blanks},${blanks}chat`,
        "Sec-WebSocket-Extensions": "constructor; __proto__=1, permessage-deflate; toString",
      }),
    );
    const head = await client.response();
    assertStringIncludes(head, "Sec-WebSocket-Protocol: chat");
    assert(!/Sec-WebSocket-Extensions/i.test(head), head);
    await client.destroy();
    for (const offered of ["a b", "chat, chat", "é"]) {
      const answer = await refusalOf(server, requestText({ "Sec-WebSocket-Protocol": offered }));
      assertEquals(answer.status, 400, offered);
    }
  });
});

Deno.test("attack 38: a bad key, another version, another method, another HTTP", async () => {
  await withServer({}, async (server) => {
    for (const key of ["", "x", "AAAA", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZSE=="]) {
      const answer = await refusalOf(server, requestText({ "Sec-WebSocket-Key": key }));
      assertEquals(answer.status, 400, key);
    }
    for (const version of ["8", "7", "25", "0", "13.0", ""]) {
      const answer = await refusalOf(server, requestText({ "Sec-WebSocket-Version": version }));
      assertEquals(answer.status, 426, version);
      assertStringIncludes(answer.head, "Sec-WebSocket-Version: 13");
      assertStringIncludes(answer.head, "Upgrade: websocket");
    }
    for (const method of ["POST", "PUT", "OPTIONS"]) {
      const answer = await refusalOf(server, requestText({}, `${method} / HTTP/1.1`));
      assertEquals(answer.status, 405, method);
      assertStringIncludes(answer.head, "Allow: GET");
    }
    assertEquals((await refusalOf(server, requestText({}, "GET / HTTP/1.0"))).status, 505);
  });
});

Deno.test("attack 39: the server ends connections that send no request, or never finish one", async () => {
  const clock = new ManualClock();
  await withServer({ clock, handshakeTimeout: 5000, pingInterval: 0 }, async (server) => {
    const silent = new RawClient(server.url);
    const slow = new RawClient(server.url);
    slow.socket.write("GET / HTTP/1.1\r\nHost: local");
    const open = await upgraded(server);
    // Its request came after theirs, so the server has accepted theirs.
    await until(() => clock.pending >= 1);
    clock.advance(4999);
    assertEquals([silent.hasEnded, slow.hasEnded], [false, false]);
    clock.advance(1);
    await Promise.all([silent.end(), slow.end()]);
    await Promise.all([silent.destroy(), slow.destroy()]);
    assertEquals(server.channels.size, 1);
    await open.destroy();
  });
});

Deno.test("attack 39: clients that wait for verify count as connections", async () => {
  const { promise: opened, resolve: open } = deferred();
  await withServer({ maxConnections: 2, verify: () => opened.then(() => true) }, async (server) => {
    const waiting = [new RawClient(server.url), new RawClient(server.url)];
    for (const client of waiting) client.request();
    let status = 0;
    // The server may accept the other two after the third, whose verify then takes the last place.
    const third = refusalOf(server, requestText()).then((answer) => status = answer.status);
    await third;
    assertEquals(status, 503);
    open();
    for (const client of waiting) {
      assertStringIncludes(await client.response(), " 101 ");
      await client.destroy();
    }
  });
});

Deno.test("attack 40: the server refuses drafts older than RFC 6455", async () => {
  await withServer({}, async (server) => {
    const draft76 = requestText({
      "Sec-WebSocket-Key": null,
      "Sec-WebSocket-Version": null,
      "Sec-WebSocket-Key1": "4 @1  46546xW%0l 1 5",
      "Sec-WebSocket-Key2": "12998 5 Y3 1  .P00",
    }) + "^n:ds[4U";
    assertEquals((await refusalOf(server, draft76)).status, 426);
  });
});

Deno.test("attack 42: a client leaves before verify answers: the server creates no channel", async () => {
  await assertNoUncaught(async () => {
    const { promise: opened, resolve: open } = deferred();
    const asked = deferred();
    let signal: AbortSignal | undefined;
    await withServer({
      verify: async (request) => {
        signal = request.signal;
        asked.resolve();
        await opened;
        return true;
      },
    }, async (server) => {
      const gone = new RawClient(server.url);
      gone.request();
      await asked.promise;
      const aborted = new Promise<void>((resolve) =>
        signal?.addEventListener("abort", () => resolve())
      );
      gone.socket.destroy();
      await aborted;
      open();
      const client = await upgraded(server, [], "/second");
      const channel = await nextChannel(server);
      assertEquals(channel.request.url.pathname, "/second");
      assertEquals(server.channels.size, 1);
      await client.destroy();
      await gone.closed();
    });
  });
});

Deno.test("attack 42: the server disconnects a client that floods it before the answer", async () => {
  const { promise: opened, resolve: open } = deferred();
  await withServer({ verify: () => opened.then(() => true) }, async (server) => {
    const client = new RawClient(server.url);
    client.request();
    client.socket.write(new Uint8Array(1024 * 1024));
    await client.closed();
    open();
    assertEquals(server.channels.size, 0);
  });
});

Deno.test("attack 47: closing ends connections of every kind, and nothing keeps the process running", async () => {
  const { promise: opened, resolve: open } = deferred();
  const hang = (): Promise<boolean> => opened.then(() => true);
  let clients: RawClient[] = [];
  await withServer({ verify: ({ url }) => url.pathname === "/" || hang() }, async (server) => {
    const answered = await upgraded(server);
    const silent = new RawClient(server.url);
    const waiting = new RawClient(server.url);
    waiting.request("/wait");
    const kept = new RawClient(server.url);
    kept.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await kept.response();
    clients = [answered, silent, waiting, kept];
    // None of the clients answers, or closes by itself.
    await server.close({ drainTimeout: 20 });
    assertEquals(server.channels.size, 0);
    assertEquals((await server[Symbol.asyncIterator]().next()).done, true);
  });
  open();
  for (const client of clients) await client.destroy();
});
