/** RFC 6265 §3: no entry point may join several Set-Cookie fields into one. */

import { assertEquals, assertRejects } from "@std/assert";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { ConnectError, type HeaderFields, type ServerOptions } from "../../src/server/mod.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { testEntries } from "./entries.ts";
import { refusalOf, withServer } from "./support.ts";

const COOKIES = ["id=a; Expires=Wed, 21 Oct 2099 07:28:00 GMT; HttpOnly", "theme=dark, blue"];

/** The same cookies in each form that `Headers` takes several of. */
function forms(): [name: string, headers: HeaderFields][] {
  const headers = new Headers();
  for (const cookie of COOKIES) headers.append("Set-Cookie", cookie);
  return [
    ["Headers", headers],
    ["pairs", COOKIES.map((it): [string, string] => ["set-cookie", it])],
  ];
}

/** The cookies of a raw response head, one per line. */
function cookiesIn(head: string): string[] {
  return head.split("\r\n").flatMap((line) => /^set-cookie: (.*)/i.exec(line)?.[1] ?? []);
}

/** The cookies that this package's client reads. */
async function readBy(url: string): Promise<string[] | undefined> {
  const client = NetWebSocketChannel.connect(url);
  await client.ready;
  const cookies = client.response?.headers.getSetCookie();
  await client.sink.close();
  return cookies;
}

testEntries("Set-Cookie: an acceptance keeps several fields apart", async ({ run }) => {
  for (const [form, headers] of forms()) {
    for (const option of [headers, () => headers] as ServerOptions["headers"][]) {
      await run({ headers: option }, async ({ url }) => {
        const client = new RawClient(url);
        client.request();
        assertEquals(cookiesIn(await client.response()), COOKIES, form);
        await client.destroy();
        assertEquals(await readBy(url), COOKIES, form);
      });
    }
  }
});

testEntries("Set-Cookie: a refusal keeps several fields apart", async ({ run }) => {
  for (const [form, headers] of forms()) {
    await run({ verify: () => ({ status: 401, headers }) }, async ({ url }) => {
      const client = new RawClient(url);
      client.request();
      assertEquals(cookiesIn(await client.response()), COOKIES, form);
      await client.destroy();
      const error = await assertRejects(() => NetWebSocketChannel.connect(url).ready, ConnectError);
      assertEquals(error.response?.headers.getSetCookie(), COOKIES, form);
    });
  }
});

Deno.test("Set-Cookie: the answer to a plain request keeps several fields apart", async () => {
  for (const [form, headers] of forms()) {
    const onRequest = (): Response => new Response("hello", { headers });
    await withServer({ onRequest }, async (server) => {
      const request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
      assertEquals(cookiesIn((await refusalOf(server, request)).head), COOKIES, form);
    });
  }
});
