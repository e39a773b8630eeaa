import { assertEquals, assertStrictEquals } from "@std/assert";
import { dialError, refusedByAlert } from "../../src/net/dial_error.ts";
import { codeOf } from "../../src/realm/kinds.ts";
import { ConnectError } from "../../src/web_socket/errors.ts";

const url = new URL("wss://a.test/b");

const OTHER = "the certificate is not for a.test. If the server's certificate has another name, " +
  "set it as tls.servername";
const UNTRUSTED =
  "the certificate can't be trusted: it has expired, or its authority is not known. " +
  "Set your own authority as tls.ca";

function withCode(code: string, message = "platform's words"): Error {
  return Object.assign(new Error(message), { code });
}

Deno.test("dial error: each cause has the same text on every platform", () => {
  const cases: [code: string, text: string, retryable: boolean][] = [
    ["ECONNREFUSED", "the connection was refused", true],
    ["ENOTFOUND", "the host can't be found", true],
    ["EAI_AGAIN", "the host's address can't be found at the moment", true],
    ["ECONNRESET", "the connection was lost", true],
    ["EPERM", "it is not permitted", false],
    ["ERR_TLS_CERT_ALTNAME_INVALID", OTHER, false],
    ["CERT_HAS_EXPIRED", "the certificate has expired", false],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", UNTRUSTED, false],
    [
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      "the certificate is self-signed. If it is yours, set it as tls.ca",
      false,
    ],
    ["EADDRNOTAVAIL", "the local address can't be used", false],
    ["EINVAL", "the local address can't be used", false],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "the answer is not TLS. Check the URL's scheme", false],
    ["ERR_SSL_BAD_LENGTH", "the TLS handshake failed", true],
    [
      "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
      "the server requires a client certificate",
      false,
    ],
    ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "the server refused the client's certificate", false],
    ["ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE", "the server refused the client's certificate", false],
    ["ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", "the server refused the TLS handshake", false],
    ["ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR", "the server refused the TLS handshake", true],
    ["E_WHATEVER", "platform's words", true],
  ];
  for (const [code, text, retryable] of cases) {
    const cause = withCode(code);
    const error = dialError(url, { phase: "tcp", cause });
    assertEquals(error.message, `Cannot connect to wss://a.test/b: ${text}`);
    assertEquals([error.phase, error.retryable], ["tcp", retryable]);
    assertStrictEquals(error.cause, cause);
  }
});

Deno.test("dial error: the client compares a certificate's names with tls.servername or the proxy's host", () => {
  const cause = withCode("ERR_TLS_CERT_ALTNAME_INVALID");
  assertEquals(
    dialError(url, { phase: "tls", cause, host: "b.test" }).message,
    `Cannot connect to wss://a.test/b: ${OTHER.replace("a.test", "b.test")}`,
  );
  // No option sets the expected name of a proxy's certificate.
  assertEquals(
    dialError(url, { phase: "proxy", about: "the proxy https://p.test", cause, host: "p.test" })
      .message,
    "Cannot connect to wss://a.test/b: the proxy https://p.test: the certificate is not for p.test",
  );
});

Deno.test("dial error: the error has the names of a certificate for another host", () => {
  const altnames =
    "Hostname/IP does not match certificate's altnames: Host: a.test. is not in the " +
    "cert's altnames: DNS:b.test, DNS:c.test";
  const cause = withCode("ERR_TLS_CERT_ALTNAME_INVALID", altnames);
  assertEquals(
    dialError(url, { phase: "tls", cause }).message,
    `Cannot connect to wss://a.test/b: ${
      OTHER.replace("a.test", "a.test but for DNS:b.test, DNS:c.test")
    }`,
  );
  const many = withCode("ERR_TLS_CERT_ALTNAME_INVALID", `altnames: DNS:${"x".repeat(10_000)}`);
  assertEquals(dialError(url, { phase: "tls", cause: many }).message.length < 500, true);
});

Deno.test("dial error: has its own text if the cause has no message", () => {
  assertEquals(
    dialError(url, { phase: "tls", cause: new AggregateError([]) }).message,
    "Cannot connect to wss://a.test/b: failed in phase tls",
  );
});

Deno.test("dial error: names the proxy, and uses the given status and retryable", () => {
  const error = dialError(url, {
    phase: "proxy",
    about: "the proxy http://p.test",
    fault: "it answered 407",
    status: 407,
  });
  assertEquals(
    error.message,
    "Cannot connect to wss://a.test/b: the proxy http://p.test: it answered 407",
  );
  assertEquals([error.status, error.retryable], [407, false]);
  const known = dialError(url, { phase: "tls", cause: withCode("EPIPE"), retryable: false });
  assertEquals(known.retryable, false);
});

Deno.test("dial error: an alert instead of an answer is a TLS failure, any other end isn't", () => {
  const failed = (code: string, status: number | null = null): ConnectError => {
    const response = status === null
      ? null
      : { status, statusText: "", headers: new Headers(), body: new Uint8Array(0) };
    return new ConnectError("ended", { phase: "handshake", cause: withCode(code), response });
  };
  const alert = failed("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED");
  const error = refusedByAlert(url, alert);
  assertEquals([error?.phase, error?.retryable, error?.cause], ["tls", false, alert.cause]);
  assertEquals(refusedByAlert(url, failed("ECONNRESET")), null);
  assertEquals(refusedByAlert(url, failed("ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR", 403)), null);
  assertEquals(refusedByAlert(url, new ConnectError("ended")), null);
});

Deno.test("dial error: a code is always a string", () => {
  const values = [withCode("EPIPE"), { code: 5 }, null, undefined, "EPIPE", new Error()];
  assertEquals(values.map(codeOf), ["EPIPE", "", "", "", "", ""]);
});
