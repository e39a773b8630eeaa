import { assertEquals } from "@std/assert";
import { readFailure } from "../../src/native/connect_failure.ts";
import type { SocketOwner } from "../../src/native/socket_owner.ts";

/** Formats an attempt's error as one line. */
function read(cause: unknown, owner: SocketOwner | null = null, url = "ws://a.test"): string {
  const { fault, known } = readFailure(cause, owner, new URL(url));
  const { phase = null, status = null, retryable = "" } = known;
  return [fault, phase, status, retryable].join(" | ").replace(/[ |]+$/, "");
}

const DENO = "failed to connect to WebSocket: ";
const BUN = "WebSocket connection to 'ws://a.test/' failed: ";

function withCode(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

Deno.test("connect failure: reads Deno's reports", () => {
  const cases: [text: string, read: string][] = [
    ["dns error", "dns error | dns"],
    ["tcp connect error", "tcp connect error | tcp"],
    ["tls handshake eof", "tls handshake eof | tls"],
    [
      "received fatal alert: HandshakeFailure",
      "received fatal alert: HandshakeFailure | tls |  | false",
    ],
    ["received fatal alert: InternalError", "received fatal alert: InternalError | tls"],
    [
      "invalid peer certificate: UnknownIssuer",
      "invalid peer certificate: UnknownIssuer | tls |  | false",
    ],
    ["Invalid status code: 401", "the server answered 401 | handshake | 401"],
    ["Invalid upgrade header", "Invalid upgrade header | handshake | 101 | false"],
    [
      "connection closed before message completed",
      "connection closed before message completed | handshake",
    ],
    ["invalid HTTP version parsed", "invalid HTTP version parsed | handshake |  | false"],
    ["connection error", "connection error | handshake"],
    ["something new", "something new"],
  ];
  for (const [text, expected] of cases) {
    assertEquals(read(new Error(DENO + text), "deno"), expected);
  }
});

Deno.test("connect failure: for wss: Deno reports a second attempt, which the error doesn't show as the cause", () => {
  const remedy = 'To get the cause, connect with transport: "net" or require: ["failureCause"]';
  for (
    const text of [
      "Didn't receive h2 alpn, aborting connection",
      "received fatal alert: NoApplicationProtocol",
      "stream error",
      "Invalid status code: 405",
      "connection closed before message completed",
      "Invalid upgrade header",
    ]
  ) {
    const expected = `Deno reports only a second attempt, over HTTP/2: ${text}. ${remedy}`;
    assertEquals(read(new Error(DENO + text), "deno", "wss://a.test"), expected);
    // The text of any other platform is reliable.
    assertEquals(read(new Error(text), "bun", "wss://a.test").includes("HTTP/2"), false);
  }
  // A failure before HTTP affects both attempts.
  const before = read(
    new Error(`${DENO}invalid peer certificate: Expired`),
    "deno",
    "wss://a.test",
  );
  assertEquals(before, "invalid peer certificate: Expired | tls |  | false");
  assertEquals(read(new Error(`${DENO}dns error`), "deno", "wss://a.test"), "dns error | dns");
});

Deno.test("connect failure: reads Bun's reports, and adds the code that the message lacks", () => {
  const cases: [text: string, code: string, read: string][] = [
    ["Failed to connect", "ENOTFOUND", "Failed to connect (ENOTFOUND) | dns"],
    ["Failed to connect", "ECONNREFUSED", "Failed to connect (ECONNREFUSED) | tcp"],
    // Older versions have no code.
    ["Failed to connect", "", "Failed to connect"],
    [
      "TLS handshake failed: error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER",
      "EPROTO",
      "TLS handshake failed: error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER (EPROTO) | tls |  | false",
    ],
    [
      "TLS handshake failed: certificate has expired",
      "CERT_HAS_EXPIRED",
      "TLS handshake failed: certificate has expired (CERT_HAS_EXPIRED) | tls |  | false",
    ],
    ["Expected 101 status code: 503", "", "the server answered 503 | handshake | 503"],
    ["Expected 101 status code", "", "Expected 101 status code"],
    [
      "Mismatch websocket accept header",
      "",
      "Mismatch websocket accept header | handshake | 101 | false",
    ],
    ["Mismatch client protocol", "", "Mismatch client protocol | handshake | 101 | false"],
    [
      "Invalid response",
      "HPE_INVALID_CONSTANT",
      "Invalid response (HPE_INVALID_CONSTANT) | handshake |  | false",
    ],
    ["Connection ended", "ECONNRESET", "Connection ended (ECONNRESET) | handshake"],
  ];
  for (const [text, code, expected] of cases) {
    const cause = code === "" ? new Error(BUN + text) : withCode(BUN + text, code);
    assertEquals(read(cause, "bun"), expected);
  }
});

Deno.test("connect failure: reads the reports of npm ws", () => {
  const cases: [cause: unknown, read: string][] = [
    [new Error("Unexpected server response: 404"), "the server answered 404 | handshake | 404"],
    [
      withCode("connect ECONNREFUSED 127.0.0.1:80", "ECONNREFUSED"),
      "connect ECONNREFUSED 127.0.0.1:80 | tcp",
    ],
    // Words in a host name have no meaning.
    [
      withCode("getaddrinfo ENOTFOUND certificate.test", "ENOTFOUND"),
      "getaddrinfo ENOTFOUND certificate.test | dns",
    ],
  ];
  for (const [cause, expected] of cases) assertEquals(read(cause), expected);
});

Deno.test("connect failure: has its own text if the platform reports nothing", () => {
  const nothing = "the connection could not be opened, and the platform does not report why";
  for (const cause of [undefined, null, "", 1, new Error("")]) {
    assertEquals(read(cause), nothing);
    assertEquals(read(cause, "browser"), nothing);
    assertEquals(
      read(cause, "node"),
      `${nothing}. To get the cause, connect with transport: "net" or require: ["failureCause"]`,
    );
  }
});
