/** Restricting TLS settings: each reaches `node:tls` and takes effect, or is an error. */

import { assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { createPrivateKey } from "node:crypto";
import { NetWebSocketChannel, type TlsCertificate, type TlsOptions } from "../../src/net/mod.ts";
import { type ServerTlsOptions, WebSocketServer } from "../../src/server/mod.ts";
import { UnsupportedError } from "../../src/web_socket/errors.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { assertReaches, certificates, connectFailure, failure, withAll } from "../net/support.ts";
import { createIdentity, createRevocationList } from "../support/certificates.ts";
import { startTls, type TlsPeer } from "../support/net_peers.ts";
import { ARCHIVE, ARCHIVE_AUTHORITY, ARCHIVE_PASSPHRASE } from "../support/pkcs12.ts";
import { startRecipe } from "../support/recipes.ts";
import { assertNoUncaught } from "../support/unhandled.ts";

const { authority, local, other, client } = certificates();
const ca = authority.cert;

async function withTls(
  options: Parameters<typeof startTls>[1],
  body: (peer: TlsPeer, url: string) => Promise<unknown>,
): Promise<void> {
  const echo = await startRecipe("echo");
  const peer = await startTls(echo.url, options);
  await withAll([echo, peer], (_echo, it) => body(it, `wss://localhost:${peer.port}`));
}

/** Expects the platform to refuse, or this package if the platform would ignore the setting. */
async function assertRefused(url: string, tls: TlsOptions, ignoredBy?: string[]): Promise<void> {
  const error = await failure(url, { tls });
  if (ignoredBy?.includes(platform()) === true) return assertInstanceOf(error, UnsupportedError);
  assertStringIncludes(error.message, `Cannot connect to ${url}/: `);
}

Deno.test("attack 54: pinning: checkServerIdentity sees the certificate, and decides", async () => {
  await withTls(local, async (peer, url) => {
    const seen: [string, TlsCertificate][] = [];
    const pin = (expected: string): TlsOptions => ({
      ca,
      checkServerIdentity(hostname, certificate) {
        seen.push([hostname, certificate]);
        const isPinned = certificate.fingerprint256 === expected;
        return isPinned ? undefined : new Error("not the pinned certificate");
      },
    });
    const error = await connectFailure(url, { tls: pin("00:11") });
    assertEquals([error.phase, error.retryable, error.message], [
      "tls",
      false,
      `Cannot connect to ${url}/: tls.checkServerIdentity refused the certificate: not the pinned certificate`,
    ]);
    const [hostname, certificate] = seen[0] ?? [];
    assertEquals(hostname, "localhost");
    assertEquals((certificate?.raw.length ?? 0) > 100, true);
    // The client sent no request to the refused server.
    assertEquals(peer.seen.filter(({ client }) => client !== null), []);
    await assertReaches(url, { tls: pin(certificate?.fingerprint256 ?? "") });
    assertEquals(seen.length, 2);
  });
});

Deno.test("attack 54: pinning: any result but undefined refuses, and an exception ends no process", async () => {
  await assertNoUncaught(async () => {
    await withTls(local, async (_peer, url) => {
      const answers: (() => unknown)[] = [
        () => {
          throw new Error("thrown");
        },
        () => Promise.resolve(undefined),
        () => Promise.reject(new Error("rejected")),
        () => false,
        () => null,
        () => "wrong",
      ];
      for (const answer of answers) {
        const tls: TlsOptions = { ca, checkServerIdentity: answer as () => undefined };
        const { message } = await connectFailure(url, { tls });
        assertStringIncludes(message, "tls.checkServerIdentity refused the certificate: ");
        if (message.endsWith(": thrown")) continue;
        assertStringIncludes(
          message,
          ": Cannot use its answer: it must be an Error or undefined, ",
        );
      }
    });
  });
});

Deno.test("attack 54: pinning: an untrusted certificate is refused, with any result of checkServerIdentity", async () => {
  await withTls(local, async (_peer, url) => {
    const checkServerIdentity = (): undefined => undefined;
    await assertRefused(url, { checkServerIdentity });
    await assertRefused(url, { ca: other.cert, checkServerIdentity });
  });
  await withTls(other, async (_peer, url) => {
    await assertReaches(url, { tls: { ca, checkServerIdentity: () => undefined } });
  });
});

Deno.test("attack 54: the TLS version settings restrict the connection", async () => {
  await withTls({ ...local, maxVersion: "TLSv1.2" }, async (_peer, url) => {
    await assertRefused(url, { ca, minVersion: "TLSv1.3" });
    await assertReaches(url, { tls: { ca, minVersion: "TLSv1.2" } });
  });
  await withTls({ ...local, minVersion: "TLSv1.3" }, async (_peer, url) => {
    await assertRefused(url, { ca, maxVersion: "TLSv1.2" });
    await assertRefused(url, { ca, secureProtocol: "TLSv1_2_method" });
    await assertReaches(url, { tls: { ca, maxVersion: "TLSv1.3" } });
  });
});

Deno.test("attack 54: ciphers, curves and signature algorithms restrict, or are an error", async () => {
  const ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
  const strict = platform() === "deno" ? {} : { ciphers };
  await withTls({ ...local, ...strict, maxVersion: "TLSv1.2" }, async (_peer, url) => {
    await assertRefused(url, { ca, ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384" }, ["deno"]);
    if (platform() !== "deno") await assertReaches(url, { tls: { ca, ciphers } });
  });
  await withTls(local, async (_peer, url) => {
    await assertRefused(url, { ca, sigalgs: "RSA-PSS+SHA256" }, ["deno"]);
    if (platform() !== "deno") await assertReaches(url, { tls: { ca, ecdhCurve: "P-256" } });
  });
  if (platform() === "deno") return;
  await withTls({ ...local, ecdhCurve: "P-384" }, async (_peer, url) => {
    await assertRefused(url, { ca, ecdhCurve: "P-256" });
  });
});

Deno.test("attack 54: a setting that this platform ignores is an UnsupportedError, before any connection", async () => {
  const ignored: Record<string, readonly TlsOptions[]> = {
    deno: [
      { ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" },
      { crl: createRevocationList(authority, [local]) },
      { secureContext: {} },
      { secureOptions: 1 },
    ],
    bun: [{ ciphers: "TLS_AES_256_GCM_SHA384" }, { pskCallback: () => null }],
  };
  await withTls(local, async (peer, url) => {
    for (const tls of ignored[platform()] ?? []) {
      assertInstanceOf(await failure(url, { tls }), UnsupportedError);
    }
    assertEquals(peer.connections, 0);
  });
});

Deno.test("attack 54: the client refuses a revoked certificate", async () => {
  const crl = createRevocationList(authority, [local]);
  await withTls(local, async (_peer, url) => {
    await assertRefused(url, { ca, crl }, ["deno"]);
    if (platform() !== "deno") {
      await assertReaches(url, { tls: { ca, crl: [createRevocationList(authority, [other])] } });
    }
  });
});

Deno.test("attack 54: the client offers the user's own application protocols", async () => {
  await withTls({ ...local, ALPNProtocols: ["mine"] }, async (peer, url) => {
    await assertReaches(url, { tls: { ca, ALPNProtocols: ["mine"] } });
    assertEquals(peer.seen[0]?.alpn, "mine");
  });
});

Deno.test("attack 54: the client sends a certificate from PKCS #12, and reads an encrypted key", async () => {
  const asking = {
    ...local,
    ca: [ca, ARCHIVE_AUTHORITY],
    requestCert: true,
    rejectUnauthorized: true,
  };
  await withTls(asking, async (peer, url) => {
    await assertReaches(url, { tls: { ca, pfx: ARCHIVE, passphrase: ARCHIVE_PASSPHRASE } });
    await assertReaches(url, {
      tls: { ca, pfx: [{ buf: ARCHIVE, passphrase: ARCHIVE_PASSPHRASE }] },
    });
    const key = createPrivateKey(client.key)
      .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "s3cr3t" })
      .toString();
    await assertReaches(url, { tls: { ca, cert: client.cert, key, passphrase: "s3cr3t" } });
    assertEquals(peer.seen.map((it) => it.client), ["client", "client", "client"]);
    const wrong = await connectFailure(url, { tls: { ca, pfx: ARCHIVE, passphrase: "s3cr3t" } });
    assertEquals([wrong.phase, wrong.retryable, wrong.message], [
      "tls",
      false,
      `Cannot connect to ${url}/: the platform can't use the option tls`,
    ]);
  });
});

Deno.test("attack 54: settings that node:tls would ignore in combination are a TypeError", () => {
  const contradictions: TlsOptions[] = [
    { rejectUnauthorized: false, checkServerIdentity: () => new Error("pinned") },
    { secureContext: {}, ca },
  ];
  for (const tls of contradictions) {
    let error: unknown;
    try {
      NetWebSocketChannel.connect("wss://127.0.0.1:9", { tls });
    } catch (it) {
      error = it;
    }
    assertInstanceOf(error, TypeError);
  }
});

// The server's settings.

async function withServer(
  tls: ServerTlsOptions,
  body: (url: string) => Promise<unknown>,
): Promise<void> {
  const server = await WebSocketServer.bind({ tls });
  const serving = (async () => {
    for await (const channel of server) {
      channel.stream.listen((message) => void channel.sink.add(message));
    }
  })();
  try {
    await body(`${server.url.replace("127.0.0.1", "localhost")}`);
  } finally {
    await server.close();
    await serving;
  }
}

async function rejectionOf(tls: unknown): Promise<unknown> {
  try {
    const server = await WebSocketServer.bind({ tls: tls as ServerTlsOptions });
    await server.close();
    return "it listens";
  } catch (error) {
    return error;
  }
}

Deno.test("attack 54: a server's TLS: versions, PKCS #12, revoked clients", async () => {
  await withServer({ ...local, minVersion: "TLSv1.3" }, async (url) => {
    await assertReaches(url, { tls: { ca } });
    await assertRefused(url, { ca, maxVersion: "TLSv1.2" });
  });
  await withServer({ pfx: ARCHIVE, passphrase: ARCHIVE_PASSPHRASE }, async (url) => {
    await assertReaches(url, { tls: { ca: ARCHIVE_AUTHORITY } });
  });
  const crl = createRevocationList(authority, [client]);
  const asking = { ...local, ca, requestCert: true, crl };
  if (platform() === "deno") {
    assertInstanceOf(await rejectionOf(asking), UnsupportedError);
    return;
  }
  await withServer(asking, async (url) => {
    await assertRefused(url, { ca, ...client });
    const fresh = createIdentity({ commonName: "client", names: ["client"], issuer: authority });
    await assertReaches(url, { tls: { ca, ...fresh } });
  });
});

Deno.test("attack 54: a server's TLS: a wrong, missing or ignored setting is an error", async () => {
  const wrong: [unknown, string][] = [
    [{ ...local, minversion: "TLSv1.3" }, "tls.minversion: there is no such option"],
    [{ ...local, minVersion: "TLSv1.4" }, "tls.minVersion: it must be"],
    [{ ...local, requestCert: "yes" }, "tls.requestCert: it must be a boolean"],
    [{ ...local, ALPNProtocols: ["h2"] }, "tls.ALPNProtocols: there is no such option"],
    [{ ...local, checkServerIdentity() {} }, "tls.checkServerIdentity: there is no such option"],
    [{ ...local, ca: "s3cr3t" }, "tls.ca: it must be PEM"],
    [{ cert: local.cert }, "tls.key: it must be there beside a cert"],
    [{}, "tls: it must have a cert and a key, or a pfx"],
    [[], "tls: it must be an object"],
  ];
  for (const [tls, text] of wrong) {
    assertStringIncludes(
      String(await rejectionOf(tls)),
      `TypeError: Cannot use the option ${text}`,
    );
  }
  const ignored: Record<string, object[]> = {
    deno: [{ ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" }, { sigalgs: "RSA-PSS+SHA256" }],
    bun: [{ ciphers: "TLS_AES_128_GCM_SHA256" }, { SNICallback: () => {} }],
  };
  for (const options of ignored[platform()] ?? []) {
    assertInstanceOf(await rejectionOf({ ...local, ...options }), UnsupportedError);
  }
});
