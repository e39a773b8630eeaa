import { assert, assertEquals, assertThrows } from "@std/assert";
import { checkResponse, startClientHandshake } from "../../src/handshake/client_handshake.ts";
import { HeaderMap } from "../../src/handshake/header_map.ts";
import { type RequestHead, ResponseParser } from "../../src/handshake/http_head.ts";
import {
  acceptRequest,
  checkRequest,
  isOriginAllowed,
  type OriginPolicy,
  type Refusal,
  refuse,
  serializeAcceptance,
  serializeRefusal,
  type UpgradeRequest,
} from "../../src/handshake/server_handshake.ts";
import { bytes, NONCE, requestHead, text } from "./support.ts";
import { RequestParser } from "../support/request_parser.ts";

function accepted(head: RequestHead): UpgradeRequest {
  const { request, refusal } = checkRequest(head);
  assert(request !== null, refusal?.body);
  return request;
}

function refused(head: RequestHead): Refusal {
  const { refusal } = checkRequest(head);
  assert(refusal !== null);
  return refusal;
}

Deno.test("A correct request is accepted", () => {
  const head = requestHead();
  assertEquals(accepted(head), {
    head,
    target: { host: "example.com", path: "/chat" },
    key: "dGhlIHNhbXBsZSBub25jZQ==",
    protocols: [],
    extensions: [],
  });
  accepted(requestHead({}, { version: "1.2" }));
  accepted(requestHead({ "Content-Length": "0", Host: "[::1]:80" }));
});

Deno.test("A request's offers are read, also over several header lines", () => {
  const request = accepted(requestHead({
    "Sec-WebSocket-Protocol": "a, b\nc,,",
    "Sec-WebSocket-Extensions": "x; y=1\npermessage-deflate",
  }));
  assertEquals(request.protocols, ["a", "b", "c"]);
  assertEquals(request.extensions, [
    { name: "x", parameters: [["y", "1"]] },
    { name: "permessage-deflate", parameters: [] },
  ]);
});

Deno.test("An empty offer counts as none, and malformed extensions are declined without refusing the request", () => {
  assertEquals(accepted(requestHead({ "Sec-WebSocket-Protocol": "" })).protocols, []);
  const offer = "permessage-deflate; client_max_window_bits";
  for (const value of ["", ",", "a;", `${offer};`, `${offer}\n;`, 'a; b="c']) {
    const request = accepted(requestHead({ "Sec-WebSocket-Extensions": value }));
    assertEquals(request.extensions, [], value);
    assertEquals(acceptRequest(request, { compression: {} }).extensions, "");
  }
});

Deno.test("Any other request is refused with a status that gives the reason", () => {
  const cases: [number, string, string | null][] = [
    [400, "Host", null],
    [400, "Host", ""],
    [400, "Host", "a\nb"],
    [400, "Host", "user@a"],
    [400, "Host", "a/b"],
    [400, "Transfer-Encoding", "chunked"],
    [400, "Content-Length", "1"],
    [400, "Content-Length", "0\n0"],
    [426, "Upgrade", null],
    [426, "Upgrade", "h2c"],
    [400, "Connection", null],
    [400, "Connection", "close"],
    [426, "Sec-WebSocket-Version", null],
    [400, "Sec-WebSocket-Key", null],
    [400, "Sec-WebSocket-Protocol", "a b"],
    [400, "Sec-WebSocket-Protocol", "a, a"],
  ];
  for (const [status, name, value] of cases) {
    const refusal = refused(requestHead({ [name]: value }));
    assertEquals(refusal.status, status, `${name}: ${value}`);
    const expected = status === 400
      ? `Missing, malformed or unexpected header: ${name}`
      : name === "Upgrade"
      ? "This address speaks WebSocket only"
      : "This server only speaks version 13 of WebSocket";
    assertEquals(refusal.body, expected);
  }
});

Deno.test("A request's target: a malformed one is refused, and an absolute URL provides the host", () => {
  for (const target of ["*", "", "/a#b", "http://user@a/", "ftp://a/"]) {
    const { status, body } = refused(requestHead({}, { target }));
    assertEquals([status, body], [400, "Malformed request target"], target);
  }
  const { target } = accepted(requestHead({}, { target: "http://other.example:81/a?b" }));
  assertEquals(target, { host: "other.example:81", path: "/a?b" });
});

Deno.test("A refusal for the method, or the version of HTTP or WebSocket, names the supported one", () => {
  const body = (length: number): [string, string][] => [
    ["Content-Length", `${length}`],
    ["Content-Type", "text/plain; charset=utf-8"],
  ];
  assertEquals(refused(requestHead({}, { method: "POST" })), {
    status: 405,
    statusText: "Method Not Allowed",
    headers: [["Connection", "close"], ...body(42), ["Allow", "GET"]],
    body: "A WebSocket handshake needs the method GET",
  });
  assertEquals(refused(requestHead({}, { method: "get" })).status, 405);
  for (const version of ["1.0", "0.9", "2.0"]) {
    assertEquals(refused(requestHead({}, { version })).status, 505, version);
  }
  assertEquals(refused(requestHead({ "Sec-WebSocket-Version": "8" })), {
    status: 426,
    statusText: "Upgrade Required",
    headers: [
      ["Connection", "close, Upgrade"],
      ["Upgrade", "websocket"],
      ["Sec-WebSocket-Version", "13"],
      ...body(47),
    ],
    body: "This server only speaks version 13 of WebSocket",
  });
});

Deno.test("An acceptance has the form of RFC 6455 §4.2.2", () => {
  const acceptance = acceptRequest(accepted(requestHead()));
  assertEquals(
    text(serializeAcceptance(acceptance)),
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
  );
  assertEquals(acceptance.protocol, null);
  assertEquals(acceptance.extensions, "");
  assertEquals(acceptance.deflate, null);
});

Deno.test("An acceptance contains the agreed values and further headers", () => {
  const request = accepted(requestHead({
    "Sec-WebSocket-Protocol": "a, b",
    "Sec-WebSocket-Extensions": "permessage-deflate; server_max_window_bits=10",
  }));
  const acceptance = acceptRequest(request, {
    protocols: ["c", "b", "a"],
    headers: [["Set-Cookie", "a=b"], ["Set-Cookie", "c=d"]],
    compression: {},
  });
  const extensions = "permessage-deflate; server_max_window_bits=10";
  assertEquals(
    text(serializeAcceptance(acceptance)).split("\r\n").slice(4),
    [
      "Sec-WebSocket-Protocol: b",
      `Sec-WebSocket-Extensions: ${extensions}`,
      "Set-Cookie: a=b",
      "Set-Cookie: c=d",
      "",
      "",
    ],
  );
  assertEquals(acceptance.protocol, "b");
  assertEquals(acceptance.extensions, extensions);
  assertEquals(acceptance.deflate?.serverMaxWindowBits, 10);
});

Deno.test("Without a common subprotocol or extension, none is agreed", () => {
  const request = accepted(requestHead({
    "Sec-WebSocket-Protocol": "a",
    "Sec-WebSocket-Extensions": "x",
  }));
  const acceptance = acceptRequest(request, { protocols: ["A"], compression: {} });
  assertEquals(acceptance.protocol, null);
  assertEquals(acceptance.deflate, null);
  assertEquals(acceptRequest(request, { compression: null }).extensions, "");
});

Deno.test("Headers that cannot be sent are not written", () => {
  const request = accepted(requestHead());
  const wrong: [string, string][] = [["a b", "v"], ["a", "v\r\nb: c"]];
  for (const field of wrong) {
    const acceptance = acceptRequest(request, { headers: [field] });
    assertThrows(() => serializeAcceptance(acceptance), TypeError, "Cannot");
    const refusal = refuse(400, { headers: [field] });
    assertThrows(() => serializeRefusal(refusal), TypeError, "Cannot");
  }
});

Deno.test("A refusal closes the connection, and its body has a length", () => {
  assertEquals(
    text(serializeRefusal(refuse(403))),
    "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 10\r\n" +
      "Content-Type: text/plain; charset=utf-8\r\n\r\nForbidden\n",
  );
  const refusal = refuse(302, {
    statusText: "Over there",
    headers: [["Location", "/x"], ["content-type", "text/html"]],
    body: "é",
  });
  assertEquals(
    text(serializeRefusal(refusal)),
    "HTTP/1.1 302 Over there\r\nConnection: close\r\nContent-Length: 2\r\n" +
      "Location: /x\r\ncontent-type: text/html\r\n\r\n\xc3\xa9",
  );
  assertEquals(refuse(599).statusText, "Refused");
  assertEquals(refuse(599, { statusText: "" }).body, "\n");
});

Deno.test("A refusal needs an error status and a valid reason phrase", () => {
  for (const status of [101, 200, 204, 299, 304, 600, 400.5, NaN]) {
    assertThrows(() => refuse(status), RangeError, "Cannot refuse");
  }
  for (const statusText of ["a\r\nb: c", "é", "\0"]) {
    assertThrows(() => refuse(400, { statusText }), TypeError, "statusText");
  }
});

Deno.test("attack 34: only allowed origins may connect", () => {
  const allowed = (
    policy: OriginPolicy,
    origin: string | null,
    host = "example.com",
  ): boolean | Promise<boolean> => {
    const fields: [string, string][] = [];
    for (const line of origin?.split("\n") ?? []) fields.push(["Origin", line]);
    return isOriginAllowed(new HeaderMap(fields), policy, host);
  };
  const yes: [OriginPolicy, string | null, string?][] = [
    ["same-host", null],
    ["same-host", "https://example.com"],
    ["same-host", "http://EXAMPLE.com:80"],
    ["same-host", "https://example.com", "Example.com:443"],
    ["same-host", "http://example.com:8080", "example.com:8080"],
    ["same-host", "http://[::1]:81", "[::1]:81"],
    [["https://a", "https://B"], "https://b"],
    [["null"], "null"],
    [(origin, host) => origin === "x" && host === "example.com", "x"],
    [false, "https://evil.example"],
    [false, "a\nb"],
    [[], null],
  ];
  const no: [OriginPolicy, string | null, string?][] = [
    ["same-host", "https://evil.example"],
    ["same-host", "https://example.com.evil.example"],
    ["same-host", "https://sub.example.com"],
    ["same-host", "https://example.com:8443"],
    ["same-host", "http://example.com", "example.com:443"],
    ["same-host", "null"],
    ["same-host", ""],
    ["same-host", "file:///example.com"],
    ["same-host", "example.com"],
    ["same-host", "https://example.com", "example.com:99999"],
    ["same-host", "https://example.com\nhttps://example.com"],
    [["https://a"], "https://a.evil.example"],
    [[], "https://a"],
    [() => false, "https://a"],
    [() => true, "a\nb"],
  ];
  for (const [policy, origin, host] of yes) {
    assertEquals(allowed(policy, origin, host), true, `${origin}`);
  }
  for (const [policy, origin, host] of no) {
    assertEquals(allowed(policy, origin, host), false, `${origin}`);
  }
});

Deno.test("The client's and the server's half understand each other's bytes", () => {
  const compression = { serverMaxWindowBits: 12, clientNoContextTakeover: true };
  const url = new URL("wss://example.com/chat");
  const client = startClientHandshake(url, NONCE, { protocols: ["a", "b"], compression });
  const request = new RequestParser().push(client.head);
  assert(request !== null);
  const acceptance = acceptRequest(accepted(request.head), { protocols: ["b"], compression: {} });
  const response = new ResponseParser().push(serializeAcceptance(acceptance));
  assert(response !== null);
  const { headers: _, accept, compression: wishes, ...agreement } = acceptance;
  assertEquals([accept, wishes], [client.accept, {}]);
  assertEquals(checkResponse(client, response.head), agreement);
  assertEquals(agreement.protocol, "b");
  assertEquals(agreement.deflate, {
    serverNoContextTakeover: false,
    clientNoContextTakeover: true,
    serverMaxWindowBits: 12,
    clientMaxWindowBits: 15,
  });
});

Deno.test("The client reads a refusal as a refusal", () => {
  const parsed = new ResponseParser().push(serializeRefusal(refuse(401, { body: "no" })));
  assertEquals(parsed?.head.status, 401);
  assertEquals(parsed?.rest, bytes("no"));
});

Deno.test("a refusal has the standard reason phrase of its status", () => {
  const phrases: [status: number, text: string][] = [
    [402, "Payment Required"],
    [403, "Forbidden"],
    [409, "Conflict"],
    [421, "Misdirected Request"],
    [451, "Unavailable For Legal Reasons"],
    [502, "Bad Gateway"],
    [504, "Gateway Timeout"],
    [599, "Refused"],
  ];
  for (const [status, text] of phrases) assertEquals(refuse(status).statusText, text);
});
