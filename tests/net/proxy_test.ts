import { assertEquals, assertInstanceOf, assertMatch, assertThrows } from "@std/assert";
import { createServer } from "node:net";
import { type ConnectOptions, NetWebSocketChannel, UnsupportedError } from "../../src/net/mod.ts";
import { PROXY_VARIABLES } from "../../src/net/environment_proxy.ts";
import { chooseProxy, portOf, schemesOf, shownProxy } from "../../src/net/proxy.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { LoopbackProbe } from "../support/loopback_probe.ts";
import { startProxy, startTls } from "../support/net_peers.ts";
import { startRecipe } from "../support/recipes.ts";
import { assertReaches, certificates, connectFailure, failure, withAll } from "./support.ts";
import { closeServer, listen } from "../support/loopback.ts";

const { authority, local } = certificates();
const tls = { ca: authority.cert };

Deno.test("proxy: opens a tunnel for ws:", async () => {
  await withAll([await startRecipe("echo"), await startProxy()], async (echo, proxy) => {
    await assertReaches(`${echo.url}/path?query`, { proxy: `http://localhost:${proxy.port}` });
    const { host } = new URL(echo.url);
    assertEquals(proxy.requests, [`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`]);
    assertEquals((await echo.next("request")).headers["host"], host);
  });
});

Deno.test("proxy: TLS works inside the tunnel", async () => {
  const echo = await startRecipe("echo");
  await withAll(
    [echo, await startTls(echo.url, local), await startProxy()],
    async (_, peer, it) => {
      const options = { tls, proxy: new URL(`http://localhost:${it.port}`) };
      await assertReaches(`wss://localhost:${peer.port}`, options);
      assertEquals(peer.seen[0]?.servername, "localhost");
      assertMatch(it.requests[0] ?? "", /^CONNECT localhost:\d+ HTTP\/1\.1\r\n/);
    },
  );
});

Deno.test("proxy: the tunnel leads to the scheme's default port if the URL has none", async () => {
  const echo = await startRecipe("echo");
  const port = Number(new URL(echo.url).port);
  await withAll([echo, await startProxy({ port })], async (_, proxy) => {
    await assertReaches("ws://example.test", { proxy: `http://localhost:${proxy.port}` });
    await assertReaches("ws://[::1]:81", { proxy: `http://localhost:${proxy.port}` });
    assertEquals(proxy.requests.map((it) => it.split("\r\n")[0]), [
      "CONNECT example.test:80 HTTP/1.1",
      "CONNECT [::1]:81 HTTP/1.1",
    ]);
  });
});

Deno.test("proxy: works over TLS, also with TLS inside its tunnel", async () => {
  const echo = await startRecipe("echo");
  await withAll(
    [echo, await startTls(echo.url, local), await startProxy({ tls: local })],
    async (_, peer, proxy) => {
      const options = { tls, proxy: `https://localhost:${proxy.port}` };
      await assertReaches(echo.url, options);
      await assertReaches(`wss://localhost:${peer.port}`, options);
      assertEquals(proxy.requests.length, 2);
      const error = await connectFailure(echo.url, { proxy: options.proxy });
      assertEquals([error.phase, error.retryable], ["proxy", false]);
    },
  );
});

Deno.test("attack 31 proxy: the client sends the proxy's credentials to the proxy, and never to the server", async () => {
  const authorization = `Basic ${btoa("user:p@ss")}`;
  await withAll(
    [await startRecipe("echo"), await startProxy({ authorization })],
    async (echo, { port, requests }) => {
      await assertReaches(echo.url, { proxy: `http://user:p%40ss@localhost:${port}` });
      assertMatch(requests[0] ?? "", /\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n/);
      const { headers } = await echo.next("request");
      assertEquals([headers["proxy-authorization"], headers["authorization"]], [
        undefined,
        undefined,
      ]);
      // The server's credentials aren't for the proxy.
      const url = echo.url.replace("//", "//me:mine@");
      await assertReaches(url, { proxy: `http://user:p%40ss@localhost:${port}` });
      assertEquals(requests[1], requests[0]);
      assertEquals((await echo.next("request")).headers["authorization"], "Basic bWU6bWluZQ==");
    },
  );
  assertThrows(
    () => NetWebSocketChannel.connect("ws://a.test", { headers: { "Proxy-Authorization": "x" } }),
    TypeError,
  );
});

Deno.test("attack 31 proxy: the error of a 407 has the proxy's response", async () => {
  await withAll(
    [await startRecipe("echo"), await startProxy({ authorization: "Basic x" })],
    async (echo, { port }) => {
      const error = await connectFailure(echo.url, {
        proxy: `http://me:secret@localhost:${port}`,
      });
      assertEquals([error.phase, error.status, error.retryable], ["proxy", 407, false]);
      assertEquals(error.response?.headers.get("proxy-authenticate"), "Basic");
      assertEquals(new TextDecoder().decode(error.response?.body), "no");
      assertEquals(
        error.message,
        `Cannot connect to ${echo.url}/: the proxy http://localhost:${port}: ` +
          "it answered 407 Proxy Authentication Required. " +
          "It offers Basic: it doesn't accept the credentials that it got",
      );
      const without = await connectFailure(echo.url, { proxy: `http://localhost:${port}` });
      assertMatch(without.message, /\. It offers Basic: set the credentials in the proxy's URL$/);
      assertEquals((await echo.stats()).connections, 0);
    },
  );
});

const lateBodies: [name: string, head: string, body: string, ends: boolean, told: string][] = [
  ["of a known length", "Content-Length: 9\r\n", "go away\r\n", false, "go away\r\n"],
  [
    "in chunks",
    "Transfer-Encoding: chunked\r\n",
    "3\r\ngo \r\n4\r\naway\r\n0\r\n\r\n",
    false,
    "go away",
  ],
  ["that is cut off", "Content-Length: 99\r\n", "go away", true, "go away"],
  ["without a length: it isn't waited for", "", "", false, ""],
];
for (const [name, head, body, ends, told] of lateBodies) {
  Deno.test(`proxy: the error has a refusal's late body, ${name}`, async () => {
    const probe = new LoopbackProbe();
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => {
        socket.write(`HTTP/1.1 407 No\r\n${head}\r\n`);
        // The client has already read the head.
        void probe.roundTrip().then(() => probe.roundTrip()).then(() => {
          if (ends) socket.end(body);
          else if (body !== "") socket.write(body);
        });
      });
    });
    const port = await listen(server);
    const error = await connectFailure("ws://a.test", { proxy: `http://127.0.0.1:${port}` });
    assertEquals([error.phase, error.status], ["proxy", 407]);
    assertEquals(new TextDecoder().decode(error.response?.body), told);
    await closeServer(server);
    await probe.close();
  });
}

Deno.test("proxy: the error has the proxy's Retry-After", async () => {
  const answer = "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
  await withAll([await startProxy({ answer })], async ({ port }) => {
    const error = await connectFailure("ws://a.test", { proxy: `http://127.0.0.1:${port}` });
    assertEquals([error.phase, error.retryable, error.retryAfter], ["proxy", true, 7000]);
  });
});

Deno.test("proxy: the client waits for an endless body of a refusal up to closeTimeout", async () => {
  const answer = "HTTP/1.1 407 No\r\nContent-Length: 99\r\n\r\ngo away";
  await withAll([await startProxy({ answer, keep: true })], async ({ port }) => {
    const options = { proxy: `http://127.0.0.1:${port}`, closeTimeout: 50, connectTimeout: 5_000 };
    const error = await connectFailure("ws://a.test", options);
    assertEquals([error.phase, error.status], ["proxy", 407]);
    assertEquals(new TextDecoder().decode(error.response?.body), "go away");
  });
});

const refusals = [
  ["a temporary refusal", { answer: "HTTP/1.1 503 Busy\r\n\r\n" }, "it answered 503 Busy", 503],
  [
    "a server that it can't reach",
    { answer: "HTTP/1.1 502 Bad Gateway\r\n\r\n" },
    "it answered 502 Bad Gateway: a proxy got no valid answer from the server behind it",
    502,
  ],
  ["a redirect", { answer: "HTTP/1.1 302 X\r\nLocation: /\r\n\r\n" }, "it answered 302 X", 302],
  [
    "an answer followed by bytes",
    { extra: "HTTP/1.1 101 Forged\r\n\r\n" },
    "it sent data into the tunnel before the server did",
    null,
  ],
  ["an end instead of an answer", { end: true }, "it ended the connection without an answer", null],
  [
    "half an answer",
    { answer: "HTTP/1.1 200 O" },
    "it ended the connection without an answer",
    null,
  ],
  ["no HTTP", { answer: "SSH-2.0-OpenSSH_9.2\r\n\r\n" }, "the answer is not HTTP/1.1: ", null],
  [
    "an endless head",
    { answer: `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(200)}` },
    "the head has more than 128 lines",
    null,
  ],
] as const;
for (const [name, manners, fault, status] of refusals) {
  Deno.test(`attack 31 proxy: ${name}`, async () => {
    await withAll(
      [await startRecipe("echo"), await startProxy(manners)],
      async (echo, { port }) => {
        const error = await connectFailure(echo.url, { proxy: `http://127.0.0.1:${port}` });
        assertEquals([error.phase, error.status], ["proxy", status]);
        assertEquals(error.message.includes(`the proxy http://127.0.0.1:${port}: ${fault}`), true);
        const isNoAnswer = name === "no HTTP" || name === "an endless head";
        assertEquals(error.retryable, status === null ? !isNoAnswer : status >= 500);
        assertEquals(await echo.queued(), []);
      },
    );
  });
}

Deno.test("attack 31 proxy: the client ignores a body announced in a successful answer, RFC 9110 §9.3.6", async () => {
  const answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
  await withAll([await startProxy({ answer, keep: true })], async ({ port }) => {
    const channel = NetWebSocketChannel.connect("ws://a.test", {
      proxy: `http://127.0.0.1:${port}`,
      connectTimeout: 100,
    });
    const error = await channel.ready.catch((it: unknown) => it);
    // The tunnel is open, so the client now waits for the server's answer.
    assertEquals(
      (error as Error).message,
      `Cannot connect to ${channel.url}: it took longer than 100 ms, in phase handshake`,
    );
  });
});

Deno.test("proxy: the error names a proxy that is unreachable or not found", async () => {
  const gone = await startProxy();
  await gone.close();
  const refused = await connectFailure("ws://a.test", { proxy: `http://127.0.0.1:${gone.port}` });
  assertEquals(
    [refused.phase, refused.message],
    [
      "proxy",
      `Cannot connect to ws://a.test/: the proxy http://127.0.0.1:${gone.port}: ` +
      "the connection was refused",
    ],
  );
  const unknown = await connectFailure("ws://a.test", { proxy: "http://u:p@no-such.invalid:1" });
  assertEquals(
    unknown.message,
    "Cannot connect to ws://a.test/: the proxy http://no-such.invalid:1: the host can't be found",
  );
});

Deno.test("proxy: a silent proxy times out, and the error has the phase", async () => {
  await withAll([await startProxy({ silent: true })], async ({ port }) => {
    const error = await failure("ws://a.test", {
      proxy: `http://127.0.0.1:${port}`,
      connectTimeout: 50,
    });
    assertEquals(
      error.message,
      "Cannot connect to ws://a.test/: it took longer than 50 ms, in phase proxy",
    );
  });
});

Deno.test("proxy: other schemes throw and aren't ignored", async () => {
  for (const proxy of ["socks4://localhost:1080", "ftp://localhost"]) {
    assertInstanceOf(await failure("ws://127.0.0.1:1", { proxy }), UnsupportedError);
  }
});

Deno.test("proxy: malformed options throw at once, and the error shows no password", () => {
  const connect = (options: ConnectOptions): unknown =>
    NetWebSocketChannel.connect("ws://a.test", options);
  const error = assertThrows(() => connect({ proxy: "http://u:secret@:x" }), SyntaxError);
  assertEquals(error.message.includes("secret"), false);
  assertThrows(() => connect({ proxy: "http://p.test", socketPath: "/a" }), TypeError);
});

Deno.test("proxy: a 407 lists the schemes that the proxy offers", async () => {
  const answer = "HTTP/1.1 407 No\r\nContent-Length: 0\r\nProxy-Authenticate: Negotiate\r\n" +
    'Proxy-Authenticate: Digest realm="a, b", nonce="Basic x"\r\n\r\n';
  await withAll([await startProxy({ answer })], async ({ port }) => {
    const error = await connectFailure("ws://a.test", { proxy: `http://u:p@127.0.0.1:${port}` });
    assertMatch(
      error.message,
      /It offers Negotiate, Digest: of these only Basic is built in, set proxy\.headers to answer another$/,
    );
  });
});

Deno.test("proxy: schemes are read from a list of challenges, RFC 9110 §11.6.1", () => {
  const cases: [value: string, schemes: string[]][] = [
    ["", []],
    ["Basic", ["Basic"]],
    ['Basic realm="x"', ["Basic"]],
    ['Basic realm="a, Digest b", charset = "UTF-8", Negotiate abc==, NTLM', [
      "Basic",
      "Negotiate",
      "NTLM",
    ]],
    ['Digest realm="\\"x\\", Fake", qop=auth, Basic realm=y', ["Digest", "Basic"]],
    ["Basic, SCRAM-SHA-256, Basic", ["Basic", "SCRAM-SHA-256"]],
    ["secret, Other x, Basic=y, NTLMX, ntlm", ["ntlm"]],
    ['Digest realm="\\"a", Basic', ["Digest", "Basic"]],
    // Without a closing quote, the rest is one value.
    ['Digest realm="a, Basic', ["Digest"]],
    ['Digest realm="a, Basic\\', ["Digest"]],
  ];
  for (const [value, schemes] of cases) assertEquals(schemesOf(value), schemes, value);
});

Deno.test("proxy: the client sends the header fields of the CONNECT request only to the proxy", async () => {
  await withAll(
    [await startRecipe("echo"), await startProxy({ authorization: "Bearer abc" })],
    async (echo, { port, requests }) => {
      const url = `http://user:password@localhost:${port}`;
      const headers = { "Proxy-Authorization": "Bearer abc", "User-Agent": "me/1" };
      await assertReaches(echo.url, { proxy: { url, headers } });
      const { host } = new URL(echo.url);
      assertEquals(requests, [
        `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n` +
        "Proxy-Authorization: Bearer abc\r\nUser-Agent: me/1\r\n\r\n",
      ]);
      const sent = (await echo.next("request")).headers;
      assertEquals(sent["proxy-authorization"], undefined);
    },
  );
});

Deno.test("proxy: reserved header fields, and header fields for a SOCKS proxy, throw", async () => {
  const url = "http://127.0.0.1:1";
  const connect = (proxy: unknown): unknown =>
    NetWebSocketChannel.connect("ws://a.test", { proxy } as ConnectOptions);
  for (const name of ["Host", "Transfer-Encoding", "Connection", "a b"]) {
    const error = assertThrows(() => connect({ url, headers: { [name]: "secret" } }), TypeError);
    assertEquals(error.message.includes("secret"), false);
  }
  for (const proxy of [{}, { url: 5 }, { url, header: {} }, ["http://a"], 5, { url, headers: 5 }]) {
    const error = assertThrows(() => connect(proxy), TypeError);
    assertMatch(error.message, /the option proxy/);
  }
  const error = await failure("ws://127.0.0.1:1", {
    proxy: { url: "socks5://127.0.0.1:1", headers: { a: "b" } },
  });
  assertInstanceOf(error, UnsupportedError);
  assertEquals(error.capability, "proxy.headers");
});

/** Runs a body with these environment variables, and no other proxy variables. */
async function withEnvironment(
  variables: Record<string, string>,
  body: () => Promise<unknown>,
): Promise<void> {
  const { process } = globalThis as unknown as { process: { env: Record<string, string> } };
  const names = [...PROXY_VARIABLES, "NODE_USE_ENV_PROXY", "NODE_OPTIONS"];
  const before = names.map((name) => [name, process.env[name]] as const);
  try {
    for (const name of names) delete process.env[name];
    Object.assign(process.env, variables);
    await body();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

Deno.test("proxy: an option enables the environment's proxy", async () => {
  await withAll([await startRecipe("echo"), await startProxy()], async (echo, proxy) => {
    const http_proxy = `http://127.0.0.1:${proxy.port}`;
    const uses = async (variables: Record<string, string>, options: ConnectOptions) => {
      const before = proxy.connections;
      await withEnvironment(variables, () => assertReaches(echo.url, options));
      return proxy.connections > before;
    };
    assertEquals(await uses({ http_proxy }, { proxy: "environment" }), true);
    assertEquals(await uses({ http_proxy }, { proxy: { url: "environment" } }), true);
    assertEquals(await uses({ http_proxy }, { proxy: null }), false);
    const no_proxy = "127.0.0.0/8";
    assertEquals(await uses({ http_proxy, no_proxy }, { proxy: "environment" }), false);
    await withEnvironment({ http_proxy: "http://u:secret@:x" }, async () => {
      const error = await connectFailure(echo.url, { proxy: "environment" });
      assertEquals(error.message.includes("secret"), false);
    });
  });
});

Deno.test("proxy: the default is the proxy that the runtime's own WebSocket would use", async () => {
  await withAll([await startRecipe("echo"), await startProxy()], async (echo, proxy) => {
    const http_proxy = `http://127.0.0.1:${proxy.port}`;
    const where = platform();
    const cases: [more: Record<string, string>, expected: boolean][] = [
      [{}, where === "deno"],
      [{ NODE_USE_ENV_PROXY: "1" }, where !== "bun"],
      // Node accepts only 1.
      [{ NODE_USE_ENV_PROXY: "true" }, where === "deno"],
      [{ NODE_OPTIONS: "--max-http-header-size=16384 --use-env-proxy" }, where !== "bun"],
      [{ NODE_USE_ENV_PROXY: "1", no_proxy: "127.0.0.1" }, false],
    ];
    for (const [more, expected] of cases) {
      await withEnvironment({ http_proxy, ...more }, async () => {
        for (const options of [{}, { transport: "net" }, { pingInterval: 60_000 }] as const) {
          const before = proxy.connections;
          await assertReaches(echo.url, options);
          assertEquals(proxy.connections > before, expected, JSON.stringify({ more, options }));
        }
        const before = proxy.connections;
        await assertReaches(echo.url, { proxy: null });
        assertEquals(proxy.connections, before);
      });
    }
  });
});

Deno.test("proxy: by default, each runtime's rule decides about the other scheme's variables and ALL_PROXY", async () => {
  const [http, https, all] = ["http://h.test/", "http://s.test/", "http://a.test/"];
  // The proxies that each runtime's own WebSocket uses, for ws: and for wss:.
  const cases: [variables: Record<string, string>, deno: unknown[], node: unknown[]][] = [
    [{ http_proxy: http }, [http, undefined], [http, http]],
    [{ HTTP_PROXY: http, https_proxy: https }, [http, https], [http, https]],
    [{ HTTPS_PROXY: https }, [undefined, https], [undefined, https]],
    [{ all_proxy: all }, [all, all], [undefined, undefined]],
    [{ http_proxy: http, ALL_PROXY: all }, [http, all], [http, http]],
  ];
  for (const [variables, deno, node] of cases) {
    await withEnvironment({ ...variables, NODE_USE_ENV_PROXY: "1" }, () => {
      const chosen = ["ws://x.test", "wss://x.test"].map((url) =>
        chooseProxy(new URL(url), undefined)?.url.href
      );
      const none = [undefined, undefined];
      assertEquals(chosen, { deno, node, bun: none, browser: none }[platform()]);
      return Promise.resolve();
    });
  }
});

Deno.test("proxy: chooses a proxy, and shows it without credentials", () => {
  const url = new URL("ws://a.test");
  assertEquals(chooseProxy(url, null), null);
  assertEquals(chooseProxy(url, "http://p.test:8080")?.url.href, "http://p.test:8080/");
  assertEquals(shownProxy(new URL("http://u:p@p.test:8080/x")), "http://p.test:8080");
  assertEquals(
    ["ws://a", "wss://a", "http://a", "https://a", "ws://a:81", "socks5://a", "socks5h://a:9"]
      .map((it) => portOf(new URL(it))),
    [80, 443, 80, 443, 81, 1080, 9],
  );
});
