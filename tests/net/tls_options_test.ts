import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { guardIdentity, readTlsOptions, refuseIgnored } from "../../src/net/tls_options.ts";
import { UnsupportedError } from "../../src/web_socket/errors.ts";
import { platform } from "../../src/web_socket/platform.ts";
import type { TlsCertificate, TlsOptions } from "../../src/web_socket/tls_options.ts";

const PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
const CRL = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";

Deno.test("TLS options: valid options are accepted", () => {
  const bytes = new TextEncoder().encode(PEM);
  const all: TlsOptions[] = [
    {},
    { ca: [PEM, bytes], cert: PEM, key: KEY },
    { cert: [PEM], key: [{ pem: KEY, passphrase: "x" }, KEY] },
    { pfx: bytes, passphrase: "x" },
    { pfx: [{ buf: bytes, passphrase: "x" }] },
    { ca: PEM, crl: [CRL], rejectUnauthorized: false },
    { cert: PEM, privateKeyEngine: "x", privateKeyIdentifier: "y" },
    { minVersion: "TLSv1.3", maxVersion: "TLSv1.3", ciphers: "x", ALPNProtocols: ["http/1.1"] },
    { secureContext: {}, servername: "x" },
    { checkServerIdentity: () => undefined, rejectUnauthorized: true },
  ];
  for (const options of all) assertEquals(readTlsOptions(options), options);
});

Deno.test("TLS options: invalid or unknown options throw a TypeError that doesn't quote secrets", () => {
  const wrong: [unknown, string][] = [
    [
      { minversion: "TLSv1.3" },
      "tls.minversion: there is no such option, got a string. Did you mean tls.minVersion?",
    ],
    [{ host: "a.test" }, "tls.host: there is no such option, got a string"],
    [{ socket: {} }, "tls.socket: there is no such option, got an object"],
    [
      { minVersion: "TLSv1.4" },
      'tls.minVersion: it must be "TLSv1", "TLSv1.1", "TLSv1.2" or "TLSv1.3", got "TLSv1.4"',
    ],
    [{ rejectUnauthorized: "false" }, 'tls.rejectUnauthorized: it must be a boolean, got "false"'],
    [
      { checkServerIdentity: "sha256//x" },
      "tls.checkServerIdentity: it must be a function, got a string",
    ],
    [{ passphrase: 5 }, "tls.passphrase: it must be a string, got 5"],
    [{ ca: "x" }, "tls.ca: it must be PEM, a CERTIFICATE"],
    [{ ca: [PEM, "x"] }, "tls.ca: it must be PEM, a CERTIFICATE"],
    [{ ca: [5] }, "tls.ca: it must be PEM, a CERTIFICATE"],
    [{ cert: PEM, key: PEM }, "tls.key: it must be PEM, a PRIVATE KEY"],
    [{ crl: PEM }, "tls.crl: it must be PEM, a X509 CRL"],
    [{ cert: PEM }, "tls.key: it must be there beside a cert"],
    [{ key: KEY }, "tls.cert: it must be there beside a key"],
    [
      { checkServerIdentity: () => undefined, rejectUnauthorized: false },
      "tls.checkServerIdentity: it must be left out if rejectUnauthorized is false",
    ],
    [{ secureContext: {}, ca: PEM }, "tls.ca: it must be left out if there is a secureContext"],
    [
      { secureContext: {}, minVersion: "TLSv1.3" },
      "tls.minVersion: it must be left out if there is a secureContext",
    ],
  ];
  for (const [options, text] of wrong) {
    const error = assertThrows(() => readTlsOptions(options as TlsOptions), TypeError);
    assertEquals(error.message, `Cannot use the option ${text}`);
  }
});

Deno.test("TLS options: options that the platform ignores throw an UnsupportedError", () => {
  const ignored: Record<string, readonly TlsOptions[]> = {
    deno: [
      { ciphers: "x" },
      { crl: CRL },
      { ecdhCurve: "x" },
      { sigalgs: "x" },
      { secureOptions: 1 },
      { secureContext: {} },
      { allowPartialTrustChain: true },
      { pskCallback: () => null },
      { privateKeyEngine: "x" },
    ],
    bun: [
      { pskCallback: () => null },
      { privateKeyEngine: "x" },
      { ciphers: "TLS_AES_256_GCM_SHA384" },
      { ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384:TLS_AES_256_GCM_SHA384" },
    ],
  };
  for (const options of ignored[platform()] ?? []) {
    const error = assertThrows(() => refuseIgnored(options), UnsupportedError);
    assertEquals(error.capability, `tls.${Object.keys(options)[0]}`);
  }
  refuseIgnored({ ca: PEM, minVersion: "TLSv1.3", allowPartialTrustChain: false });
});

Deno.test("TLS options: a user's check accepts only by returning undefined", () => {
  const refused: string[] = [];
  const ask = (answer: () => unknown): Error | undefined =>
    guardIdentity(answer as () => undefined, ({ message }) => refused.push(message))(
      "a.test",
      {} as TlsCertificate,
    );
  assertEquals(ask(() => undefined), undefined);
  assertEquals(refused, []);
  const own = new Error("mine");
  assertStrictEquals(ask(() => own), own);
  assertStrictEquals(
    ask(() => {
      throw own;
    }),
    own,
  );
  assertEquals(refused.splice(0), ["mine", "mine"]);
  const others: (() => unknown)[] = [
    () => null,
    () => true,
    () => false,
    () => "",
    () => Promise.resolve(undefined),
    () => Promise.reject(own),
  ];
  for (const other of others) ask(other);
  assertEquals(refused.map((it) => it.split(", got ")[1]), [
    "null",
    "true",
    "false",
    "a string",
    "a Promise",
    "a Promise",
  ]);
});
