import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { checkResponse, startClientHandshake } from "../../src/handshake/client_handshake.ts";
import {
  checkDeflateAnswer,
  chooseDeflate,
  type DeflateParameters,
} from "../../src/permessage_deflate/deflate_parameters.ts";
import {
  type Extension,
  parseExtensions,
  serializeExtensions,
} from "../../src/handshake/extensions.ts";
import { HandshakeError } from "../../src/handshake/handshake_error.ts";
import { HeaderMap, trim } from "../../src/handshake/header_map.ts";
import { MAX_HEAD, ResponseParser, serializeHead } from "../../src/handshake/http_head.ts";
import {
  acceptRequest,
  checkRequest,
  isOriginAllowed,
  serializeAcceptance,
  serializeRefusal,
} from "../../src/handshake/server_handshake.ts";
import { bytes, feed, NONCE, type Parser, plain } from "../handshake/support.ts";
import { testSeed } from "../support/random.ts";
import { RequestParser } from "../support/request_parser.ts";

const REQUEST = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate; x=1\r\n\r\n";
const RESPONSE =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: a\r\n" +
  "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n\r\nrest";

/** fast-check prints the seed of a failure; `TEST_SEED` sets it. */
function check<T extends [unknown, ...unknown[]]>(
  property: fc.IProperty<T>,
  numRuns = 500,
): void {
  fc.assert(property, { seed: testSeed(), numRuns });
}

/** Bytes that look like a head: pieces of heads, line ends and noise in any order. */
function headLike(example: string): fc.Arbitrary<Uint8Array> {
  const pieces = [
    "\r\n",
    "\r",
    "\n",
    ": ",
    " ",
    "\t",
    ",",
    ";",
    '"',
    "\0",
    "\xff",
    "HTTP/1.1",
    "100",
  ];
  const piece = fc.oneof(
    fc.constantFrom(...pieces, ...example.split("\r\n")),
    fc.string({ unit: "binary-ascii", maxLength: 5 }),
  );
  const soup = fc.array(piece, { maxLength: 30 }).map((parts) => bytes(parts.join("")));
  return fc.oneof(fc.uint8Array({ maxLength: 300 }), soup, mutated(example));
}

/** The example with a few bytes replaced, removed or inserted. */
function mutated(example: string): fc.Arbitrary<Uint8Array> {
  const change = fc.tuple(fc.nat(), fc.nat(2), fc.string({ unit: "binary-ascii", maxLength: 3 }));
  return fc.array(change, { maxLength: 4 }).map((changes) => {
    let text = example;
    for (const [place, removed, added] of changes) {
      const at = place % text.length;
      text = text.slice(0, at) + added + text.slice(at + removed);
    }
    return bytes(text);
  });
}

/** The result of a parser that gets these chunks; it may throw only a HandshakeError. */
function outcome<Head extends { headers: HeaderMap }>(
  parser: Parser<Head>,
  chunks: Uint8Array[],
): unknown {
  try {
    const parsed = feed(parser, chunks);
    return parsed === null ? "incomplete" : plain(parsed);
  } catch (error) {
    if (error instanceof HandshakeError) return error.reason;
    throw error;
  }
}

function cut(data: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = places.map((it) => it % (data.length + 1)).sort((a, b) => a - b);
  let start = 0;
  return [...ends, data.length].map((end) => data.subarray(start, start = end));
}

Deno.test("Heads of any bytes give the same result, or the same typed error, with any split", () => {
  const places = fc.array(fc.nat(1000), { maxLength: 8 });
  check(fc.property(headLike(REQUEST), places, (data, at) => {
    const whole = outcome(new RequestParser(), [data]);
    assertEquals(outcome(new RequestParser(), cut(data, at)), whole);
  }));
  check(fc.property(headLike(RESPONSE), places, (data, at) => {
    const whole = outcome(new ResponseParser(), [data]);
    assertEquals(outcome(new ResponseParser(), cut(data, at)), whole);
  }));
});

Deno.test("A server sends a legal answer to any head that it can read", () => {
  check(
    fc.property(headLike(REQUEST), (data) => {
      let parsed;
      try {
        parsed = new RequestParser().push(data);
      } catch {
        return;
      }
      if (parsed === null) return;
      const { request, refusal } = checkRequest(parsed.head);
      if (request !== null) {
        isOriginAllowed(parsed.head.headers, "same-host", request.target.host);
        const { host, path } = request.target;
        assertEquals(new URL(`ws://${host}${path}`).host, new URL(`ws://${host}`).host);
      }
      const answer = request === null
        ? serializeRefusal(refusal)
        : serializeAcceptance(acceptRequest(request, { protocols: ["b"], compression: {} }));
      const status = new ResponseParser().push(answer)?.head.status;
      assertEquals(status, refusal?.status ?? 101);
    }),
    2000,
  );
});

Deno.test("A client accepts or refuses any answer with a typed error", () => {
  const options = { protocols: ["a"], compression: { serverMaxWindowBits: 12 } };
  const handshake = startClientHandshake(new URL("ws://a/"), NONCE, options);
  check(
    fc.property(headLike(RESPONSE), (data) => {
      try {
        const parsed = new ResponseParser().push(data);
        if (parsed === null) return;
        const { protocol, deflate } = checkResponse(handshake, parsed.head);
        assert(protocol === null || protocol === "a");
        if (deflate !== null) assertLegal(deflate);
      } catch (error) {
        if (!(error instanceof HandshakeError)) throw error;
      }
    }),
    2000,
  );
});

function assertLegal(agreed: DeflateParameters): void {
  for (const bits of [agreed.serverMaxWindowBits, agreed.clientMaxWindowBits]) {
    assert(Number.isInteger(bits) && bits >= 8 && bits <= 15);
  }
}

const NAMES = [
  "server_no_context_takeover",
  "client_no_context_takeover",
  "server_max_window_bits",
  "client_max_window_bits",
  "__proto__",
];

const DEFLATES: fc.Arbitrary<Extension[]> = fc.array(
  fc.record({
    name: fc.constantFrom("permessage-deflate", "permessage-deflate", "constructor"),
    parameters: fc.array(
      fc.tuple(
        fc.constantFrom(...NAMES),
        fc.oneof(fc.constant(null), fc.integer({ min: 6, max: 17 }).map(String)),
      ),
      { maxLength: 4 },
    ),
  }),
  { maxLength: 3 },
);

Deno.test("Client and server agree only to legal parameters, whatever the offer or the answer", () => {
  const options = fc.record({
    serverMaxWindowBits: fc.integer({ min: 8, max: 15 }),
    clientMaxWindowBits: fc.integer({ min: 8, max: 15 }),
    serverNoContextTakeover: fc.boolean(),
    clientNoContextTakeover: fc.boolean(),
  }, { requiredKeys: [] });
  check(
    fc.property(DEFLATES, options, (extensions, wishes) => {
      const choice = chooseDeflate(extensions, wishes);
      if (choice !== null) assertLegal(choice.parameters);
      const agreed = checkDeflateAnswer(extensions, wishes);
      if (agreed !== null && typeof agreed !== "string") assertLegal(agreed);
    }),
    2000,
  );
});

Deno.test("Extensions of any text are read or refused; extensions that were read are the same after writing and reading", () => {
  const piece = fc.oneof(
    fc.constantFrom("a", "b-c", ",", ";", "=", '"', "\\", " ", "\t", "__proto__", "="),
    fc.string({ unit: "binary", maxLength: 3 }),
  );
  check(
    fc.property(fc.array(piece, { maxLength: 20 }), (parts) => {
      try {
        const read = parseExtensions(parts.join(""));
        assertEquals(parseExtensions(serializeExtensions(read)), read);
      } catch (error) {
        if (!(error instanceof HandshakeError)) throw error;
      }
    }),
    3000,
  );
});

Deno.test("serializeHead writes one head with exactly the given fields", () => {
  const field = fc.tuple(
    fc.string({ unit: "binary", maxLength: 8 }),
    fc.string({ unit: "binary", maxLength: 8 }),
  );
  check(
    fc.property(fc.array(field, { maxLength: 4 }), (fields) => {
      let head;
      try {
        head = serializeHead("GET / HTTP/1.1", fields);
      } catch (error) {
        assert(error instanceof TypeError);
        return;
      }
      const parsed = new RequestParser().push(head);
      const expected = new HeaderMap(fields.map(([name, value]) => [name, trim(value)]));
      assertEquals([...parsed?.head.headers ?? []], [...expected]);
      assertEquals(parsed?.rest.length, 0);
    }),
    2000,
  );
});

/** A chunk that counts how often a single byte of it is read. */
function counting(data: Uint8Array): { chunk: Uint8Array; reads: () => number } {
  let reads = 0;
  const chunk = new Proxy(data, {
    get(target, key): unknown {
      if (typeof key === "string" && /^[0-9]+$/.test(key)) reads++;
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { chunk, reads: () => reads };
}

Deno.test("attack 26: a parser reads each byte of a head once, however many chunks there are", () => {
  const heads = [
    `GET / HTTP/1.1\r\na: ${" ".repeat(MAX_HEAD - 23)}\r\n\r\n`,
    `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(128)}\r\n`,
    REQUEST,
  ];
  for (const head of heads) {
    for (const size of [1, 7, 1460, head.length]) {
      const parser = new RequestParser();
      let reads = 0;
      for (let at = 0; at < head.length; at += size) {
        const counted = counting(bytes(head.slice(at, at + size)));
        parser.push(counted.chunk);
        reads += counted.reads();
      }
      assertEquals(reads, head.length);
    }
  }
});

/** A text that counts how often its characters are read. */
class CountingText {
  reads = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  get length(): number {
    return this.#text.length;
  }

  charCodeAt(index: number): number {
    this.reads++;
    return this.#text.charCodeAt(index);
  }

  charAt(index: number): string {
    this.reads++;
    return this.#text.charAt(index);
  }

  slice(start: number, end?: number): string {
    this.reads += (end ?? this.length) - start;
    return this.#text.slice(start, end);
  }
}

Deno.test("attack 37: long headers are read in linear time", () => {
  const long = 10_000;
  const texts = [
    `a${" ".repeat(long)}b`,
    " ".repeat(long),
    ",".repeat(long),
    ";".repeat(long),
    `a${";b".repeat(long)}`,
    `a; b="${"\\c".repeat(long)}`,
    `a; b="${"c".repeat(long)}"`,
    `${'a;b="'.repeat(long)}`,
    `a${"; b=c ".repeat(long)}\0`,
    "a".repeat(long),
    `a;b${"\t".repeat(long)}=${" ".repeat(long)}c`,
  ];
  for (const text of texts) {
    const counted = new CountingText(text);
    try {
      parseExtensions(counted as unknown as string);
    } catch (error) {
      assert(error instanceof HandshakeError);
    }
    assert(counted.reads <= 8 * text.length + 16, `${text.slice(0, 12)}: ${counted.reads}`);
    const trimmed = new CountingText(text);
    trim(trimmed as unknown as string);
    assert(trimmed.reads <= 2 * text.length + 4, `trim ${text.slice(0, 12)}: ${trimmed.reads}`);
  }
});
