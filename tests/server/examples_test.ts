/** The examples of servers, each in its own process; the chat also in a browser and over Redis. */
// Deno only: starts processes

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { deadline } from "@std/async";
import { type ConnectError, NetWebSocketChannel } from "../../src/net/mod.ts";
import { relay, WebSocketServer } from "../../src/server/mod.ts";
// @ts-types="../support/ws.d.ts"
import { WebSocketServer as WsServer } from "ws";
import { type Browser, findChromium, launch, type Page } from "../../tasks/test_browser.ts";
import { findCommand } from "../support/processes.ts";
import { bundled, type Ended, PATIENCE, type Program, RUNTIMES, startProgram } from "./programs.ts";
import { leftOut } from "../support/needs.ts";

/** Starts an example, and waits until it prints its URL. */
function startExample(path: string, ...args: string[]): Promise<Program> {
  return startAt("0", path, ...args);
}

function startAt(port: string, path: string, ...args: string[]): Promise<Program> {
  const command = [Deno.execPath(), "run", "--quiet", "--allow-all", `examples/${path}`];
  return startProgram([...command, port, ...args]);
}

async function withExample(
  path: string,
  args: string[],
  body: (url: string) => Promise<void>,
): Promise<Ended> {
  return await during(await startExample(path, ...args), body);
}

async function during(
  example: Program,
  body: (url: string) => Promise<void>,
): Promise<Ended> {
  let ended: Ended = { code: 0, text: "" };
  try {
    await deadline(body(example.url), PATIENCE);
  } finally {
    ended = await example.stop();
  }
  return ended;
}

/** Tests an example on every runtime: on runtimes other than Deno, as one bundled JavaScript file. */
function testExample(
  name: string,
  what: string,
  body: (url: string) => Promise<void>,
  onEnd: (ended: Ended) => void = () => {},
): void {
  for (const [runtime, command] of RUNTIMES) {
    const reason = leftOut(runtime, command !== null);
    Deno.test({
      name: `example ${name} on ${runtime}: ${what}${reason}`,
      ignore: command === null,
      async fn() {
        const source = `examples/${name}.ts`;
        const script = runtime === "Deno" ? source : await bundled(source);
        onEnd(await during(await startProgram([...command ?? [], script, "0"]), body));
      },
    });
  }
}

let last: NetWebSocketChannel | undefined;

testExample("echo_server", "echoes, and drains when it is stopped", async (url) => {
  last = NetWebSocketChannel.connect(url);
  last.sink.add("hello");
  assertEquals((await last.stream.next()).value, "hello");
}, ({ code, text }) => {
  assertEquals([last?.closeCode, code], [1001, 0]);
  assertStringIncludes(text, "closed with 1001\nno longer listening\n");
});

const FRAMEWORKS: readonly [name: string, path: string, isMessage: (text: string) => boolean][] = [
  ["hono_server", "/time", (text) => !Number.isNaN(Date.parse(text))],
  ["express_server", "/echo", (text) => text === "hello"],
  ["fastify_server", "/echo", (text) => text === "hello"],
];

for (const [name, path, isMessage] of FRAMEWORKS) {
  testExample(name, "a page and a WebSocket on one port", async (url) => {
    assertStringIncludes(await (await fetch(url)).text(), "A page");
    const client = NetWebSocketChannel.connect(url.replace("http:", "ws:") + path);
    client.sink.add("hello");
    const { value } = await client.stream.next();
    assert(isMessage(String(value)), String(value));
    await client.sink.close();
    assert((await client.closed).wasClean);
    const refused = NetWebSocketChannel.connect(url.replace("http:", "ws:") + "/other");
    const { error } = await refused.closed;
    assertEquals((error as { status?: number }).status, 404);
  });
}

testExample(
  "basic_auth_server",
  "attack 41: the server admits a client that knows the password",
  async (url) => {
    const friend = NetWebSocketChannel.connect(url.replace("//", "//Aladdin:open%20sesame@"));
    friend.sink.add("hello");
    assertEquals((await friend.stream.next()).value, "hello");
    await friend.sink.close();
    const right = btoa("Aladdin:open sesame");
    const wrong = [
      ...[
        "",
        "Basic",
        "Basic ",
        `Bearer ${right}`,
        `Basic ${right}x`,
        `Basic ${right.slice(0, -1)}`,
      ],
      ...["Aladdin:open sesam", "Aladdin:open sesame ", "aladdin:open sesame", ":", "é"]
        .map((it) => `Basic ${btoa(it)}`),
    ];
    for (const Authorization of wrong) {
      const guest = NetWebSocketChannel.connect(url, { headers: { Authorization } });
      const { status, response } = (await guest.closed).error as ConnectError;
      assertEquals(status, 401, Authorization);
      assertStringIncludes(response?.headers.get("www-authenticate") ?? "", 'Basic realm="cave"');
    }
  },
);

for (const [runtime, command] of RUNTIMES) {
  const reason = leftOut(runtime, command !== null);
  Deno.test({
    name:
      `example reverse_proxy on ${runtime}: the relay forwards clients with the token to ws${reason}`,
    ignore: command === null,
    async fn() {
      const server = new WsServer({ port: 0, host: "127.0.0.1" });
      await new Promise<void>((resolve) => server.on("listening", () => resolve()));
      const { port } = server.address() as { port: number };
      let onEnd: (code: number) => void = () => {};
      server.on("connection", (socket, { url = "" }) => {
        socket.on("message", (data, isBinary) => {
          socket.send(isBinary ? data : `${url} ${socket.protocol}: ${data}`);
          const [word, code = ""] = String(data).split(" ");
          if (word === "lose") socket.terminate();
          if (word !== "close") return;
          if (code === "") socket.close();
          else socket.close(Number(code), "as asked");
        });
        socket.on("close", (code) => onEnd(code));
      });
      // The second of two chained relays.
      const inner = await WebSocketServer.bind({
        port: 0,
        hostname: "127.0.0.1",
        protocols: ({ protocols }) => protocols[0] ?? null,
        handler: async (guest) => {
          const { pathname, search } = guest.request.url;
          const url = `ws://127.0.0.1:${port}${pathname}${search}`;
          const protocols = guest.protocol === null ? [] : [guest.protocol];
          await relay(guest, NetWebSocketChannel.connect(url, { protocols }));
        },
      });
      const source = "examples/reverse_proxy.ts";
      const script = runtime === "Deno" ? source : await bundled(source);
      const args = ["0", inner.url, "a-token"];
      await during(await startProgram([...command ?? [], script, ...args]), async (url) => {
        const refused = await NetWebSocketChannel.connect(url).closed;
        assertEquals((refused.error as ConnectError).status, 401);
        const headers = { Authorization: "Bearer a-token" };
        const open = async (): Promise<NetWebSocketChannel> => {
          const protocols = ["v2", "v1"];
          const client = NetWebSocketChannel.connect(`${url}/room?a=1`, { headers, protocols });
          await client.ready;
          return client;
        };
        for (const code of [1000, 1001, null, 1009, 1011, 1012, 3000, 4404]) {
          const client = await open();
          assertEquals(client.protocol, "v2");
          client.sink.add(Uint8Array.of(1, 2));
          const text = code === null ? "close" : `close ${code}`;
          client.sink.add(text);
          assertEquals((await client.stream.next()).value, Uint8Array.of(1, 2));
          assertEquals((await client.stream.next()).value, `/room?a=1 v2: ${text}`);
          const info = await client.closed;
          const reason = code === null ? "" : "as asked";
          assertEquals([info.code, info.reason, info.wasClean], [code ?? 1005, reason, true]);
          const ended = new Promise<number>((resolve) => onEnd = resolve);
          await (await open()).sink.close(...code === null ? [] : [code]);
          assertEquals(await ended, code ?? 1005);
        }
        // 1006 is never sent: after a lost connection the relay closes the client with 1014, and the server with 1011.
        const client = await open();
        client.sink.add("lose");
        assertEquals((await client.closed).code, 1014);
        const ended = new Promise<number>((resolve) => onEnd = resolve);
        (await open()).terminate();
        assertEquals(await ended, 1011);
      });
      await inner.close();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

Deno.test("attack 41: every example and page compares secrets in constant time", async () => {
  const example = await Deno.readTextFile(
    new URL("../../examples/basic_auth_server.ts", import.meta.url),
  );
  assertStringIncludes(example, "timingSafeEqual(digest(credentials), expected)");
  const page = await Deno.readTextFile(
    new URL("../../docs/how-to/authenticate.md", import.meta.url),
  );
  assertStringIncludes(page, "timingSafeEqual(");
  for (const text of [example, page]) {
    assertEquals(
      text.match(/(authorization|credentials|token|password|value)\b.*[!=]==? */gi),
      null,
    );
  }
});

/** A chat client without a page. */
class Guest {
  readonly channel: NetWebSocketChannel;
  readonly #seen: Record<string, unknown>[] = [];
  #onMessage = (): void => {};

  constructor(url: string, query = "") {
    this.channel = NetWebSocketChannel.connect(`${url.replace("http:", "ws:")}/chat${query}`);
    this.channel.stream.listen((message) => {
      this.#seen.push(JSON.parse(String(message)));
      this.#onMessage();
    });
  }

  say(message: object): void {
    this.channel.sink.add(JSON.stringify(message));
  }

  /** Fulfils with the first matching message, received before or after the call. */
  async sees(fits: (message: Record<string, unknown>) => boolean): Promise<unknown> {
    for (;;) {
      const found = this.#seen.find(fits);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#onMessage = resolve);
    }
  }

  async name(): Promise<string> {
    return (await this.sees(({ kind }) => kind === "welcome") as { name: string }).name;
  }

  get texts(): string[] {
    return this.#seen.filter(({ kind }) => kind === "said")
      .map(({ said }) => (said as { text: string }).text);
  }

  seesText(text: string): Promise<unknown> {
    return this.sees(({ kind, said }) =>
      kind === "said" && (said as { text: string }).text === text
    );
  }

  seesPeople(count: number): Promise<unknown> {
    return this.sees(({ kind, names }) =>
      kind === "people" && (names as string[]).length === count
    );
  }
}

/** Two guests, each on a server; both may use the same server. */
async function talk(first: string, second: string): Promise<void> {
  const one = new Guest(first);
  const name = await one.name();
  const other = new Guest(second);
  assert(await other.name() !== name);
  await Promise.all([one.seesPeople(2), other.seesPeople(2)]);
  one.say({ kind: "typing", is: true });
  await other.sees((it) => it["kind"] === "typing" && it["name"] === name && it["is"] === true);
  one.say({ kind: "say", id: "1", text: "hello" });
  one.say({ kind: "say", id: "1", text: "hello" });
  await Promise.all([one.seesText("hello"), other.seesText("hello")]);
  const late = new Guest(second);
  const { offset, said } = await late.seesText("hello") as {
    offset: string;
    said: { from: string };
  };
  assertEquals(said.from, name);
  await one.seesPeople(3);
  late.channel.sink.add("no JSON at all");
  assertEquals((await late.channel.closed).code, 1008);
  await one.channel.sink.close();
  await other.sees((it) => it["kind"] === "people" && !(it["names"] as string[]).includes(name));
  other.say({ kind: "say", id: "1", text: "and" });
  await other.seesText("and");
  const back = new Guest(first, `?${new URLSearchParams({ name, after: offset })}`);
  assertEquals(await back.name(), name);
  await back.seesText("and");
  assertEquals(back.texts, ["and"]);
  assertEquals(other.texts, ["hello", "and"]);
  for (const { channel } of [other, back]) await channel.sink.close();
}

Deno.test("example chat: shows history, presence and typing; refuses malformed messages", async () => {
  const { code } = await withExample("chat/server.ts", [], async (url) => {
    await talk(url, url);
    assertEquals((await fetch(`${url}/nothing`)).body?.cancel() !== undefined, true);
  });
  assertEquals(code, 0);
});

const redisServer = findCommand([["redis-server"]]);
const withoutRedis = leftOut("redis-server", redisServer !== null);

Deno.test({
  name: `example chat: two servers joined by Redis${withoutRedis}`,
  ignore: redisServer === null,
  async fn() {
    const folder = await Deno.makeTempDir();
    const port = freePort();
    const redis = new Deno.Command("redis-server", {
      args: ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", folder],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const log = redis.stdout.pipeThrough(new TextDecoderStream()).getReader();
    try {
      let text = "";
      while (!/ready to accept/i.test(text)) {
        const { value, done } = await log.read();
        if (done) throw new Error(`redis-server ended: ${text}`);
        text += value;
      }
      const url = `redis://127.0.0.1:${port}`;
      await withExample("chat/server.ts", [url], async (first) => {
        await withExample("chat/server.ts", [url], (second) => talk(first, second));
      });
    } finally {
      redis.kill("SIGTERM");
      while (!(await log.read()).done);
      await redis.status;
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** A port that was free a moment ago: redis-server can't be configured to choose one. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

const chromium = await findChromium();
const withoutChromium = leftOut("Chromium", chromium !== null);

/** Defines a test that needs a browser. */
function testInChromium(name: string, body: (browser: Browser) => Promise<void>): void {
  Deno.test({
    name: `${name}${withoutChromium}`,
    ignore: chromium === null,
    // The driver keeps a process and its pipes until the browser is gone.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const browser = await launch(chromium ?? "");
      try {
        await deadline(body(browser), PATIENCE);
      } finally {
        await browser.close();
      }
    },
  });
}

testInChromium("example chat: two pages in Chromium talk to each other", converse);

testInChromium(
  "attack 34: the server refuses Chromium's page of another host, and admits one of its own host",
  async (browser) => {
    await withExample("chat/server.ts", [], async (good) => {
      await withExample("chat/server.ts", [], async (evil) => {
        const page = await browser.newPage();
        // Not the chat's own page: its policy would forbid it to connect elsewhere.
        await page.goto(`${evil}/nothing`);
        const ends = (url: string): Promise<unknown> =>
          page.evaluate(`new Promise((resolve) => {
          const socket = new WebSocket("${url.replace("http:", "ws:")}/chat");
          socket.onopen = () => resolve("open");
          socket.onclose = ({ code }) => resolve(code);
          setTimeout(resolve, 10_000, "neither");
        })`);
        assertEquals([await ends(good), await ends(evil)], [1006, "open"]);
      });
    });
  },
);

async function converse(browser: Browser): Promise<void> {
  const errors: unknown[] = [];
  const pages: Page[] = [];
  let example = await startExample("chat/server.ts");
  try {
    for (let i = 0; i < 2; i++) {
      const page = await browser.newPage();
      page.on("pageerror", (error) => errors.push(error));
      await page.goto(example.url);
      await page.waitForSelector('#state[data-state="open"]');
      await page.waitForSelector('#name:text("guest-")');
      pages.push(page);
    }
    const [one, other] = pages as [Page, Page];
    const name = await one.textContent("#name");
    await one.waitForSelector(`#people:text("${name}")`);
    await one.waitForSelector(`#people:text("${await other.textContent("#name")}")`);
    await one.type("#text", "Hello from the first page");
    await other.waitForSelector(`#typing:text("${name} typing")`);
    await one.click("#form button");
    await other.waitForSelector('#said li:has-text("Hello from the first page")');
    await other.fill("#text", "And from the second <b>page</b>");
    await other.click("#form button");
    await one.waitForSelector('#said li:has-text("And from the second <b>page</b>")');
    await one.screenshot({ path: `${await artifacts()}/chat.png` });
    assertEquals((await example.stop()).code, 0);
    await one.waitForSelector('#state[data-state="waiting"]');
    assertEquals(await one.textContent("#state"), "waiting: restarting");
    example = await startAt(new URL(example.url).port, "chat/server.ts");
    await one.click("#reconnect");
    await one.waitForSelector('#state[data-state="open"]');
    // The guest has kept its name; the log was in the memory of the previous process.
    await one.waitForSelector(`#people:text("${name}")`);
    await one.waitForSelector("body:not(:has(#said li))");
    assertEquals(errors, []);
  } finally {
    await example.stop();
  }
}

/** The folder of a run's output, outside the repository. */
async function artifacts(): Promise<string> {
  const folder = Deno.env.get("ARTIFACTS") ??
    `${Deno.env.get("TMPDIR") ?? "/tmp"}/web_socket_channel`;
  await Deno.mkdir(folder, { recursive: true });
  return folder;
}
