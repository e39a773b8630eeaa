import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  MAX_HEAD,
  MAX_HEADERS,
  MAX_INTERIM_RESPONSES,
  MAX_START_LINE,
  ResponseParser,
  serializeHead,
} from "../../src/handshake/http_head.ts";
import { checkField } from "../../src/handshake/request_fields.ts";
import {
  assertFailures,
  bytes,
  failure,
  failureMessage,
  feed,
  plain,
  splits,
  text,
} from "./support.ts";
import { RequestParser } from "../support/request_parser.ts";

const REQUEST = "GET /chat?a=b HTTP/1.1\r\n" +
  "Host: example.com\r\nX-Empty:\r\nX-Blank: \t \r\nX: \t a  b\t \r\n__proto__: p\r\nx:\xe9\r\n\r\n";
const REQUEST_PLAIN = {
  method: "GET",
  target: "/chat?a=b",
  version: "1.1",
  headers: [
    ["host", "example.com"],
    ["x-empty", ""],
    ["x-blank", ""],
    ["x", "a  b"],
    ["x", "\xe9"],
    ["__proto__", "p"],
  ],
};
const RESPONSE = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
const RESPONSE_PLAIN = {
  version: "1.1",
  status: 101,
  statusText: "Switching Protocols",
  headers: [["upgrade", "websocket"]],
};
const BEHIND = "\x81\x02hi\r\n\r\nGET / HTTP/1.1\r\n\r\n\x00\xff";

function readRequest(head: string): unknown {
  const parsed = new RequestParser().push(bytes(head));
  return parsed && plain(parsed);
}

function readResponse(head: string): unknown {
  const parsed = new ResponseParser().push(bytes(head));
  return parsed && plain(parsed);
}

Deno.test("A request's head is the same with any split, and the bytes after it are kept", () => {
  for (const rest of ["", BEHIND]) {
    for (const chunks of splits(bytes(REQUEST + rest))) {
      const parsed = feed(new RequestParser(), chunks);
      assertEquals(parsed && plain(parsed) as unknown, { ...REQUEST_PLAIN, rest });
    }
  }
});

Deno.test("A response's head is the same with any split, and the bytes after it are kept", () => {
  for (const interim of ["", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103\r\nLink: a\r\n\r\n"]) {
    for (const rest of ["", BEHIND]) {
      for (const chunks of splits(bytes(interim + RESPONSE + rest))) {
        const parsed = feed(new ResponseParser(), chunks);
        assertEquals(parsed && plain(parsed) as unknown, { ...RESPONSE_PLAIN, rest });
      }
    }
  }
});

Deno.test("A parser returns null for an incomplete head", () => {
  const data = bytes(REQUEST);
  for (let i = 0; i < data.length; i++) {
    assertEquals(new RequestParser().push(data.subarray(0, i)), null);
  }
});

Deno.test("The bytes after a head are a view of the last chunk", () => {
  const chunk = bytes(RESPONSE + "rest");
  const parsed = new ResponseParser().push(chunk);
  assertEquals(parsed?.rest.buffer, chunk.buffer);
  assertEquals(parsed?.rest.byteOffset, RESPONSE.length);
});

Deno.test("A head without header lines is valid", () => {
  assertEquals(readRequest("GET / HTTP/1.0\r\n\r\n"), {
    method: "GET",
    target: "/",
    version: "1.0",
    headers: [],
    rest: "",
  });
});

Deno.test("A status line may have any reason phrase, or none", () => {
  const texts: [string, string][] = [
    ["", ""],
    [" ", ""],
    [" OK", "OK"],
    [" Not \xe9\t ok ", "Not \xe9\t ok "],
  ];
  for (const [tail, statusText] of texts) {
    assertEquals(readResponse(`HTTP/1.0 404${tail}\r\n\r\n`), {
      version: "1.0",
      status: 404,
      statusText,
      headers: [],
      rest: "",
    });
  }
});

Deno.test("A malformed request line is rejected", () => {
  const lines = [
    "",
    "GET",
    "GET /",
    "GET  / HTTP/1.1",
    " GET / HTTP/1.1",
    "GET / HTTP/1.1 ",
    "GET / HTTP/1.1 x",
    "GET /\xe9 HTTP/1.1",
    "GET /\x7f HTTP/1.1",
    "GET /\x00 HTTP/1.1",
    "GET\t/ HTTP/1.1",
    "G(T / HTTP/1.1",
    "GET / http/1.1",
    "GET / HTTP/11",
    "GET / HTTP/1.10",
    "GET / HTTP/1",
    "GET / FTTP/1.1",
    "HTTP/1.1 200 OK",
  ];
  const bodies = lines.map((it) => [it, () => readRequest(`${it}\r\nHost: x\r\n\r\n`)] as const);
  assertFailures("bad-start-line", bodies);
});

Deno.test("A malformed status line is rejected", () => {
  const lines = [
    "",
    "HTTP/1.1",
    "HTTP/1.1 ",
    "HTTP/1.1 20",
    "HTTP/1.1 2000",
    "HTTP/1.1 099 x",
    "HTTP/1.1 1e1 x",
    "HTTP/1.1  200",
    "HTTP/1.1 200\tOK",
    "HTTP/1.1 200OK",
    "HTTP/1.1 200 O\x00K",
    "HTTP/1.1 200 O\x7fK",
    "http/1.1 200 OK",
    "HTTP/1,1 200 OK",
    "ICY 200 OK",
    "GET / HTTP/1.1",
  ];
  const bodies = lines.map((it) => [it, () => readResponse(`${it}\r\nA: x\r\n\r\n`)] as const);
  assertFailures("bad-start-line", bodies);
});

Deno.test("A malformed header line is rejected", () => {
  const lines = [
    "A",
    ": a",
    "A : a",
    " A: a",
    "\tA: a",
    "A\x00: a",
    "A(: a",
    "\xc4: a",
    "A: a\r\n folded",
    "A: a\r\n\tfolded",
    "A: \x00",
    "A: \x1b",
    "A: \x7f",
    "A: a\rb",
    "A: a\r\r\nB: b",
    "A: a\nB: b",
    "\n",
  ];
  const bodies = lines.map((it) =>
    [it, () => readRequest(`GET / HTTP/1.1\r\n${it}\r\n\r\n`)] as const
  );
  assertFailures("bad-header", bodies);
});

Deno.test("A start line with a single CR or LF is rejected", () => {
  assertEquals(failure(() => readRequest("GET / HTTP/1.1\nHost: x\n\n")), "bad-start-line");
  assertEquals(failure(() => readRequest("GET / HTTP/1.1\rHost: x\r\n\r\n")), "bad-start-line");
  assertEquals(failure(() => readResponse("\n")), "bad-start-line");
});

Deno.test("A start line has a limit", () => {
  const path = (length: number): string => `/${"a".repeat(length - "GET / HTTP/1.1".length)}`;
  const longest = `GET ${path(MAX_START_LINE)} HTTP/1.1`;
  assertEquals(longest.length, MAX_START_LINE);
  readRequest(`${longest}\r\n\r\n`);
  // It is rejected before its end arrives.
  assertEquals(failure(() => readRequest(longest + "a")), "start-line-too-long");
});

Deno.test("Header lines and the whole head have a limit", () => {
  const lines = (count: number): string => "A: b\r\n".repeat(count);
  readRequest(`GET / HTTP/1.1\r\n${lines(MAX_HEADERS)}\r\n`);
  assertEquals(
    failure(() => readRequest(`GET / HTTP/1.1\r\n${lines(MAX_HEADERS + 1)}`)),
    "too-many-headers",
  );
  const fixed = "GET / HTTP/1.1\r\nA: \r\n\r\n".length;
  readRequest(`GET / HTTP/1.1\r\nA: ${"b".repeat(MAX_HEAD - fixed)}\r\n\r\n`);
  assertEquals(
    failure(() => readRequest(`GET / HTTP/1.1\r\nA: ${"b".repeat(MAX_HEAD - fixed + 1)}\r\n\r\n`)),
    "head-too-large",
  );
});

Deno.test("Interim responses have a limit, and are not the final response", () => {
  const interim = (count: number): string => "HTTP/1.1 100 Continue\r\nA: b\r\n\r\n".repeat(count);
  assertEquals(readResponse(interim(MAX_INTERIM_RESPONSES)), null);
  assertEquals(
    readResponse(interim(MAX_INTERIM_RESPONSES) + RESPONSE),
    { ...RESPONSE_PLAIN, rest: "" },
  );
  assertEquals(
    failure(() => readResponse(interim(MAX_INTERIM_RESPONSES + 1))),
    "too-many-interim-responses",
  );
});

Deno.test("A message quotes the peer safely and briefly", () => {
  const message = (line: string): string => failureMessage(() => readResponse(`${line}\r\n\r\n`));
  const begins = (start: string): string => `the answer is not HTTP/1.1: it begins with "${start}"`;
  assertEquals(message(`\x1b[31m${"x".repeat(1000)}`), begins(`\\x1b[31m${"x".repeat(35)}`));
  assertEquals(message("x".repeat(1000)), begins("x".repeat(40)));
  assertEquals(message("SSH-2.0-OpenSSH_9.6"), begins("SSH-2.0-OpenSSH_9.6"));
  assertEquals(message("GET /?token=secret HTTP/1.1"), begins("GET /"));
  assertEquals(message("\r\nGET /?token=secret HTTP/1.1"), begins("\\x0d\\x0aGET /"));
  assertEquals(message("?token=secret"), begins(""));
  assertEquals(message(""), begins("\\x0d\\x0a\\x0d\\x0a"));
  assertEquals(message('"\\\xe9'), begins("\\x22\\x5c\\xe9"));
  assertEquals(message("HTTP/1.1 200 \x07"), begins("HTTP/1.1 200 \\x07"));
  const tls = "the answer is TLS, not HTTP: is the scheme right?";
  assertEquals(message("\x15\x03\x01\x00\x02\x02\x16"), tls);
  const header = "HTTP/1.1 200 OK\r\nSet-Cookie secret";
  assertEquals(message(header), `the head has a malformed line: "Set-Cookie…"`);
});

Deno.test("A response that is not HTTP/1.x is rejected at the first byte that differs", () => {
  const answers: [seen: string, refused: string][] = [
    ["", "S"],
    ["", "\n"],
    ["H", "HTTPS"],
    ["HTTP/1", "HTTP/1 "],
    ["HTTP/1.1 ", "HTTP/1.1 a"],
    ["HTTP/1.1 20", "HTTP/1.1 20\r"],
    ["HTTP/1.1 200", "HTTP/1.1 2000"],
    ["HTTP/1.1 200", "HTTP/1.1 200\n"],
    ["HTTP/1.1 200 OK\r\nA", "HTTP/1.1 200 OK\r\nA\r\n"],
    ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nS"],
    ["HTTP/1.1 100 A\r\n\r\nHTTP/1.1 2", "HTTP/1.1 100 A\r\n\r\nHTTP/1.1 2a"],
  ];
  for (const [seen, refused] of answers) {
    for (const way of splits(bytes(seen))) assertEquals(feed(new ResponseParser(), way), null);
    for (const way of splits(bytes(refused))) {
      assert(/^bad-/.test(failure(() => feed(new ResponseParser(), way))), refused);
    }
  }
});

Deno.test("serializeHead writes what the parser reads", () => {
  const head = serializeHead("HTTP/1.1 401 Unauthorized", [["A", "b"], ["C", " \t\xe9"], [
    "D",
    "",
  ]]);
  assertEquals(text(head), "HTTP/1.1 401 Unauthorized\r\nA: b\r\nC:  \t\xe9\r\nD: \r\n\r\n");
  assertEquals(readResponse(text(head)), {
    version: "1.1",
    status: 401,
    statusText: "Unauthorized",
    headers: [["a", "b"], ["c", "\xe9"], ["d", ""]],
    rest: "",
  });
});

Deno.test("serializeHead and checkField reject values that would change the head's structure", () => {
  for (const line of ["", "GET / HTTP/1.1\r\nA: b", "GET /\xe9 HTTP/1.1", "GET /\0 HTTP/1.1"]) {
    assertThrows(() => serializeHead(line, []), TypeError, "Cannot send the start line");
  }
  for (const name of ["", "a b", "a:", "a\r\nb", "é"]) {
    assertThrows(() => checkField(name, "v"), TypeError, "its name must be a token");
    assertThrows(() => serializeHead("A", [[name, "v"]]), TypeError);
  }
  for (const value of ["\r", "\n", "a\r\nb: c", "\0", "\x7f", "\u{100}", "\u{1f600}"]) {
    const error = assertThrows(() => checkField("x", value), TypeError);
    assertEquals(
      error.message,
      "Cannot send the header x: its value must be printable Latin-1 text",
    );
    assertThrows(() => serializeHead("A", [["x", value]]), TypeError);
  }
  assertThrows(() => checkField("x", 1 as unknown as string), TypeError);
  checkField("x", "v");
});
