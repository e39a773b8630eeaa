/** RFC 8441: both halves of the opening handshake over HTTP/2. */

import { assertEquals, assertThrows } from "@std/assert";
import {
  checkConnectResponse,
  type ClientHandshakeOptions,
  startConnectHandshake,
} from "../../src/handshake/client_handshake.ts";
import { HeaderMap } from "../../src/handshake/header_map.ts";
import type { RequestHead, ResponseHead } from "../../src/handshake/http_head.ts";
import { acceptRequest, checkRequest } from "../../src/handshake/server_handshake.ts";
import { assertFailures } from "./support.ts";

type Fields = Readonly<Record<string, string>>;

function requestFields(url: string, options?: ClientHandshakeOptions): Record<string, string> {
  return Object.fromEntries(startConnectHandshake(new URL(url), options).fields);
}

function connectHead(fields: Fields = {}, more: Partial<RequestHead> = {}): RequestHead {
  const headers = { "host": "example.com", "sec-websocket-version": "13", ...fields };
  return {
    method: "CONNECT",
    target: "/chat",
    version: "2.0",
    protocol: "websocket",
    headers: new HeaderMap(Object.entries(headers).filter(([, value]) => value !== "")),
    ...more,
  };
}

function answer(status: number, fields: Fields = {}): ResponseHead {
  const headers = new HeaderMap(Object.entries(fields));
  return { version: "2.0", status, statusText: "", headers };
}

Deno.test("extended CONNECT: the request has the form of RFC 8441 §5", () => {
  assertEquals(requestFields("ws://user@example.com/chat?a=b"), {
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": "http",
    ":path": "/chat?a=b",
    ":authority": "example.com",
    "sec-websocket-version": "13",
  });
  for (const url of ["wss://example.com:8443", "https://example.com:8443"]) {
    const { ":scheme": scheme, ":authority": host } = requestFields(url);
    assertEquals([scheme, host], ["https", "example.com:8443"]);
  }
});

Deno.test("extended CONNECT: the request contains what the options specify, with lower-case names", () => {
  const { fields, protocols, compression } = startConnectHandshake(new URL("ws://example.com"), {
    protocols: ["v2", "v1"],
    headers: [["Host", "other.test"], ["Cookie", "a=b"], ["X-One", "1"], ["X-One", "2"]],
    origin: "https://example.com",
    userAgent: "me/1",
    compression: {},
  });
  assertEquals(fields.slice(4), [
    [":authority", "other.test"],
    ["sec-websocket-version", "13"],
    ["sec-websocket-protocol", "v2, v1"],
    ["sec-websocket-extensions", "permessage-deflate; client_max_window_bits"],
    ["cookie", "a=b"],
    ["x-one", "1"],
    ["x-one", "2"],
    ["user-agent", "me/1"],
    ["origin", "https://example.com"],
  ]);
  assertEquals([protocols, compression], [["v2", "v1"], {}]);
});

Deno.test("extended CONNECT: a connection-specific field, or one that cannot be sent, throws", () => {
  for (const name of ["Keep-Alive", "Proxy-Connection", "HTTP2-Settings"]) {
    assertThrows(
      () => requestFields("ws://example.com", { headers: [[name, "1"]] }),
      TypeError,
      `Cannot send the header ${name.toLowerCase()}: HTTP/2 has no such field`,
    );
  }
  assertThrows(() => requestFields("ws://example.com", { headers: [["a b", "1"]] }), TypeError);
});

Deno.test("extended CONNECT: a 2xx response accepts, and any other refuses", () => {
  const offer = { protocols: ["chat"], compression: {} };
  const fields = {
    "sec-websocket-protocol": "chat",
    "sec-websocket-extensions": "permessage-deflate",
  };
  for (const status of [200, 204, 299]) {
    const { protocol, extensions } = checkConnectResponse(offer, answer(status, fields));
    assertEquals([protocol, extensions], ["chat", "permessage-deflate"]);
  }
  assertFailures(
    "bad-status",
    [101, 199, 300, 404].map((status) => [
      String(status),
      () => checkConnectResponse(offer, answer(status, fields)),
    ]),
  );
  assertFailures("bad-protocol", [["none", () => checkConnectResponse(offer, answer(200))]]);
  const none = { ...offer, compression: null };
  assertFailures("bad-extensions", [
    ["not offered", () => checkConnectResponse(none, answer(200, fields))],
  ]);
});

Deno.test("extended CONNECT: a correct request is accepted, without a key", () => {
  const head = connectHead({ "sec-websocket-protocol": "chat" });
  const { request } = checkRequest(head);
  assertEquals([request?.target, request?.protocols, request?.key], [
    { host: "example.com", path: "/chat" },
    ["chat"],
    "",
  ]);
  const { accept, protocol } = acceptRequest(request!, { protocols: ["chat"] });
  assertEquals([accept, protocol], ["", "chat"]);
});

Deno.test("extended CONNECT: any other request is refused with a status that gives the reason", () => {
  const statusOf = (fields: Fields, more?: Partial<RequestHead>): number | undefined =>
    checkRequest(connectHead(fields, more)).refusal?.status;
  const refused: [number, Fields, Partial<RequestHead>?][] = [
    [405, {}, { method: "GET" }],
    [501, {}, { protocol: "connect-udp" }],
    [501, {}, { protocol: "" }],
    [400, { "host": "" }],
    [400, { "host": "a, b" }],
    [400, {}, { target: "" }],
    [400, {}, { target: "/a#b" }],
    [400, { "sec-websocket-version": "" }],
    [400, { "sec-websocket-version": "8" }],
    [400, { "sec-websocket-protocol": "a b" }],
    [400, { "content-length": "0" }],
    ...["connection", "upgrade", "keep-alive", "proxy-connection", "transfer-encoding"]
      .map((name): [number, Fields] => [400, { [name]: "x" }]),
  ];
  for (const [status, fields, more] of refused) assertEquals(statusOf(fields, more), status);
  const { refusal } = checkRequest(connectHead({ "sec-websocket-version": "8" }));
  assertEquals(refusal?.headers.some(([name]) => name === "Sec-WebSocket-Version"), true);
});

Deno.test("extended CONNECT: a :scheme other than http or https, or none, is a 400", () => {
  for (const scheme of ["http", "https"]) {
    assertEquals(checkRequest(connectHead({}, { scheme })).refusal, null);
  }
  for (const scheme of ["ftp", "wss", ""]) {
    assertEquals(checkRequest(connectHead({}, { scheme })).refusal?.status, 400);
  }
});
