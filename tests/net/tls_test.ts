/** TLS: requested parameters, checks, and error reports. */

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { createServer } from "node:net";
import {
  type ConnectError,
  type ConnectOptions,
  NetWebSocketChannel,
  type TlsOptions,
} from "../../src/net/mod.ts";
import { platform } from "../../src/web_socket/platform.ts";
import type { Identity } from "../support/certificates.ts";
import { startTls, type TlsPeer } from "../support/net_peers.ts";
import { startRecipe } from "../support/recipes.ts";
import { assertReaches, certificates, connectFailure, withAll } from "./support.ts";
import { closeServer, listen } from "../support/loopback.ts";

const { authority, local, other, expired, client } = certificates();
const trusted: ConnectOptions = { tls: { ca: authority.cert } };

async function withTls(
  options: Parameters<typeof startTls>[1],
  body: (peer: TlsPeer) => Promise<unknown>,
): Promise<void> {
  const echo = await startRecipe("echo");
  await withAll([echo, await startTls(echo.url, options)], (_echo, peer) => body(peer));
}

function told(error: ConnectError): unknown[] {
  // Runtimes format an IP address of a certificate differently.
  const message = error.message.replace(/ but for (?:DNS|IP).*?(?=\. If)/, "");
  return [error.phase, message.replace(/:\d+\//, ":PORT/"), error.retryable];
}

/** The error text for a certificate with other names. */
function notFor(host: string): string {
  return `the certificate is not for ${host}. If the server's certificate has another name, ` +
    "set it as tls.servername";
}

Deno.test("net TLS: uses the user's authority, sends a server name, and negotiates HTTP/1.1", async () => {
  await withTls({ ...local, ALPNProtocols: ["h2", "http/1.1"] }, async (peer) => {
    await assertReaches(`wss://localhost:${peer.port}`, trusted);
    assertEquals(peer.seen, [{ servername: "localhost", alpn: "http/1.1", client: null }]);
  });
});

Deno.test("net TLS: https: means wss:", async () => {
  await withTls(local, async ({ port }) => {
    await assertReaches(`https://localhost:${port}`, trusted);
  });
});

Deno.test("attack 32 RFC 6066 §3: the client sends no server name for an IP address, but checks the certificate against it", async () => {
  await withTls(local, async (peer) => {
    await assertReaches(`wss://127.0.0.1:${peer.port}`, trusted);
    assertEquals(peer.seen[0]?.servername, null);
  });
  await withTls(other, async ({ port }) => {
    assertEquals(told(await connectFailure(`wss://127.0.0.1:${port}`, trusted)), [
      "tls",
      `Cannot connect to wss://127.0.0.1:PORT/: ${notFor("127.0.0.1")}`,
      false,
    ]);
  });
});

Deno.test("attack 32: the client refuses a certificate for another name", async () => {
  await withTls(other, async ({ port }) => {
    assertEquals(told(await connectFailure(`wss://localhost:${port}`, trusted)), [
      "tls",
      `Cannot connect to wss://localhost:PORT/: ${notFor("localhost")}`,
      false,
    ]);
  });
});

Deno.test("attack 32: the client sends and checks the given server name", async () => {
  await withTls(other, async (peer) => {
    const tls = { ca: authority.cert, servername: "other.test" };
    await assertReaches(`wss://127.0.0.1:${peer.port}`, { tls });
    assertEquals(peer.seen[0]?.servername, "other.test");
  });
  await withTls(local, async ({ port }) => {
    const tls = { ca: authority.cert, servername: "other.test" };
    const error = await connectFailure(`wss://localhost:${port}`, { tls });
    assertEquals(told(error), [
      "tls",
      `Cannot connect to wss://localhost:PORT/: ${notFor("other.test")}`,
      false,
    ]);
  });
});

const untrusted: [name: string, identity: Identity, ca: string | undefined][] = [
  ["an unknown authority", local, undefined],
  ["a certificate that has expired", expired, authority.cert],
  ["another authority", local, other.cert],
];
for (const [name, identity, ca] of untrusted) {
  Deno.test(`attack 32: ${name}`, async () => {
    await withTls(identity, async ({ port }) => {
      const error = await connectFailure(`wss://localhost:${port}`, { tls: { ca } });
      const [phase, text, retryable] = told(error);
      assertEquals([phase, retryable], ["tls", false]);
      // Deno doesn't distinguish the two.
      const pattern = identity === expired && platform() !== "deno"
        ? /: the certificate has expired$/
        : /: the certificate can't be trusted: .*tls\.ca$|: the certificate is signed by itself/;
      assertMatch(String(text), pattern);
    });
  });
}

Deno.test("attack 32: only rejectUnauthorized: false disables the check", async () => {
  await withTls(other, async ({ port }) => {
    await assertReaches(`wss://localhost:${port}`, { tls: { rejectUnauthorized: false } });
    const options = { tls: { rejectUnauthorized: undefined } };
    assertEquals((await connectFailure(`wss://localhost:${port}`, options)).phase, "tls");
  });
});

Deno.test("net TLS: the client sends its certificate", async () => {
  const options = { ...local, ca: authority.cert, requestCert: true, rejectUnauthorized: true };
  await withTls(options, async (peer) => {
    const tls = { ca: authority.cert, cert: client.cert, key: client.key };
    await assertReaches(`wss://localhost:${peer.port}`, { tls });
    assertEquals(peer.seen[0]?.client, "client");
  });
});

const wanting = { ...local, ca: authority.cert, requestCert: true, rejectUnauthorized: true };

Deno.test("net TLS 1.2: the attempt fails when a required client certificate is missing", async () => {
  await withTls({ ...wanting, maxVersion: "TLSv1.2" }, async ({ port }) => {
    assertEquals(told(await connectFailure(`wss://localhost:${port}`, trusted)), [
      "tls",
      "Cannot connect to wss://localhost:PORT/: the server refused the TLS handshake",
      false,
    ]);
  });
});

Deno.test("net TLS 1.3 RFC 8446 §4.4.2.4: the attempt fails after the handshake when a required client certificate is missing", async () => {
  await withTls({ ...wanting, minVersion: "TLSv1.3" }, async ({ port }) => {
    const error = await connectFailure(`wss://localhost:${port}`, trusted);
    assertEquals(told(error), [
      "tls",
      "Cannot connect to wss://localhost:PORT/: the server requires a client certificate",
      false,
    ]);
  });
});

Deno.test("net TLS: accepts several authorities as bytes", async () => {
  await withTls(local, async ({ port }) => {
    const ca = [other.cert, new TextEncoder().encode(authority.cert)];
    await assertReaches(`wss://localhost:${port}`, { tls: { ca } });
  });
});

Deno.test("net TLS: malformed settings throw at once, also where the platform ignores them", () => {
  const { cert, key } = client;
  const malformed: TlsOptions[] = [
    { ca: "no certificate" },
    { ca: [authority.cert, "no certificate"] },
    { ca: new Uint8Array(3) },
    { cert: "no certificate", key },
    { cert, key: "no key" },
    { cert: key, key },
    { cert },
    { key },
  ];
  for (const tls of malformed) {
    assertThrows(() => NetWebSocketChannel.connect("wss://a.test", { tls }), TypeError, "tls.");
  }
});

const broken = [
  ["a server that resets the connection", "the connection was lost", true],
  ["a server that ends the connection", "the connection was lost", true],
  ["a server that speaks plain HTTP", "the answer is not TLS. Check the URL's scheme", false],
] as const;
for (const [index, [name, fault, retryable]] of broken.entries()) {
  Deno.test(`net TLS: the attempt fails with ${name} during the TLS handshake`, async () => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => {
        if (index === 0) socket.resetAndDestroy();
        else if (index === 1) socket.end();
        else socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
      });
    });
    const port = await listen(server);
    try {
      assertEquals(told(await connectFailure(`wss://localhost:${port}`, trusted)), [
        "tls",
        `Cannot connect to wss://localhost:PORT/: ${fault}`,
        retryable,
      ]);
    } finally {
      await closeServer(server);
    }
  });
}
