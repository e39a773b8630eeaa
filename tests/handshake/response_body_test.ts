import { assert, assertEquals, assertFalse } from "@std/assert";
import { HeaderMap } from "../../src/handshake/header_map.ts";
import { MAX_BODY, ResponseBody } from "../../src/handshake/response_body.ts";

const encoder = new TextEncoder();

function body(fields: Record<string, string>, status = 400): ResponseBody {
  return new ResponseBody({ status, headers: new HeaderMap(Object.entries(fields)) });
}

/** Reads a body that arrives whole, cut at any position, or byte by byte. */
function assertReads(
  fields: Record<string, string>,
  wire: string,
  text: string,
  whole = true,
): void {
  const bytes = encoder.encode(wire);
  const cuts = Array.from({ length: bytes.length }, (_, at) => [
    bytes.subarray(0, at),
    bytes.subarray(at),
  ]);
  cuts.push(Array.from(bytes, (byte) => Uint8Array.of(byte)));
  for (const chunks of cuts) {
    const reader = body(fields);
    for (const chunk of chunks) reader.push(chunk);
    assertEquals(new TextDecoder().decode(reader.bytes), text);
    assertEquals(reader.isComplete, whole);
  }
}

const CHUNKED = { "Transfer-Encoding": "chunked" };

Deno.test("a body of known length, and the bytes after it", () => {
  assertReads({ "Content-Length": "5" }, "hello", "hello");
  assertReads({ "Content-Length": "5" }, "hello, world", "hello");
  assertReads({ "Content-Length": "6" }, "hello", "hello", false);
});

Deno.test("no body: RFC 9112 §6.3", () => {
  assert(body({ "Content-Length": "0" }).isComplete);
  for (const status of [204, 304]) {
    for (const fields of [{}, CHUNKED, { "Content-Length": "5" }]) {
      assert(body(fields, status).isComplete, `${status}`);
    }
  }
  assertFalse(body(CHUNKED).isComplete);
});

Deno.test("a body up to the end of the transport", () => {
  assertReads({}, "hello", "hello", false);
  for (const length of ["x", "-1", "5, 5", ""]) {
    assertReads({ "Content-Length": length }, "hello", "hello", false);
  }
});

Deno.test("a chunked body: RFC 9112 §7.1", () => {
  assertReads(CHUNKED, "5\r\nhello\r\n2\r\n, \r\n5\r\nworld\r\n0\r\n\r\n", "hello, world");
  assertReads(CHUNKED, "00A;name=value\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", "0123456789");
  assertReads(CHUNKED, "5\nhello\n0\n", "hello");
  assertReads(CHUNKED, "00000000000000005\r\nhello\r\n0\r\n", "hello");
  assertReads({ ...CHUNKED, "Content-Length": "1" }, "5\r\nhello\r\n0\r\n", "hello");
  assertReads(CHUNKED, "5\r\nhel", "hel", false);
});

Deno.test("a malformed chunked body ends at the fault", () => {
  assertReads(CHUNKED, "5\r\nhello\r\nx\r\nmore", "hello");
  assertReads(CHUNKED, "12345678901234\r\nmore", "");
  assertReads(CHUNKED, `5;${"x".repeat(300)}`, "");
});

Deno.test("attack 26: empty lines instead of a chunk's size are limited", () => {
  assertReads(CHUNKED, "\r\n5\r\nhello", "");
  assertReads(CHUNKED, "5\r\nhello\r\n\r\n5\r\nmore", "hello");
  for (const wire of ["\r\n", "5\r\nhello\r\n\r\n"]) {
    const reader = body(CHUNKED);
    reader.push(encoder.encode(wire));
    assertEquals([reader.isComplete, reader.isUnfinished], [true, true]);
  }
});

Deno.test("attack 26: at most 64 KiB of a body is kept, and then no more is read", () => {
  assertEquals(MAX_BODY, 65536);
  const part = new Uint8Array(10_000).fill(120);
  for (const fields of [{}, { "Content-Length": "1000000000000" }]) {
    const reader = body(fields);
    let pushed = 0;
    while (!reader.isComplete) {
      reader.push(part);
      pushed += part.length;
    }
    assertEquals([pushed, reader.bytes.length], [70_000, MAX_BODY]);
  }
  const chunked = body(CHUNKED);
  while (!chunked.isComplete) chunked.push(encoder.encode(`3e8\r\n${"x".repeat(1000)}\r\n`));
  assertEquals(chunked.bytes, new Uint8Array(MAX_BODY).fill(120));
});

Deno.test("the bytes are a copy, and the chunks are not kept", () => {
  const reader = body({ "Content-Length": "10" });
  const chunk = encoder.encode("hello");
  reader.push(chunk);
  chunk.fill(0);
  const first = reader.bytes;
  reader.push(encoder.encode("world"));
  assertEquals([new TextDecoder().decode(first), reader.bytes.length], ["hello", 10]);
});

Deno.test("if a reader takes the bytes, the whole body is read, and its beginning is kept", () => {
  const part = new Uint8Array(10_000).fill(120);
  const reader = body({ "Content-Length": "100000" });
  const pieces: number[] = [];
  reader.onBytes = (bytes) => pieces.push(bytes.length);
  for (let i = 0; i < 10; i++) {
    assertFalse(reader.isComplete);
    reader.push(part);
  }
  assert(reader.isComplete);
  assertEquals(pieces, new Array(10).fill(10_000));
  assertEquals(reader.bytes.length, MAX_BODY);
});

Deno.test("it reports whether the transport's end would truncate a body", () => {
  const states = (fields: Record<string, string>, wire: string): boolean => {
    const reader = body(fields);
    reader.push(encoder.encode(wire));
    return reader.isUnfinished;
  };
  assert(states({ "Content-Length": "6" }, "hello"));
  assertFalse(states({ "Content-Length": "5" }, "hello"));
  assert(states(CHUNKED, "5\r\nhello\r\n"));
  assertFalse(states(CHUNKED, "5\r\nhello\r\n0\r\n\r\n"));
  assertFalse(states({}, "hello"));
});

Deno.test("attack 65: the reader gets the bytes of one chunk as one copied piece, however the chunk is divided", () => {
  const reader = body(CHUNKED);
  const pieces: Uint8Array[] = [];
  reader.onBytes = (bytes) => pieces.push(bytes);
  const wire = encoder.encode("1\r\na\r\n".repeat(1000));
  reader.push(wire);
  wire.fill(0);
  reader.push(encoder.encode("2;x\r\nbc"));
  reader.push(encoder.encode("\r\n"));
  reader.push(encoder.encode("1\r\nd\r\n0\r\n\r\n"));
  const texts = pieces.map((it) => new TextDecoder().decode(it));
  assertEquals(texts, ["a".repeat(1000), "bc", "d"]);
  assertEquals(pieces.map((it) => it.buffer.byteLength), [1000, 2, 1]);
});
