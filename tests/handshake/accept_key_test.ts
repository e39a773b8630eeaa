import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { assert, assertEquals, assertFalse } from "@std/assert";
import { encodeBase64, isHandshakeKey, sha1, signKey } from "../../src/handshake/accept_key.ts";
import { hex } from "../support/bytes.ts";
import { seededRandom } from "../support/random.ts";
import { bytes as latin1 } from "./support.ts";

Deno.test("S98 signKey: it signs the RFC's key and Dart's", () => {
  assertEquals(signKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  assertEquals(signKey("x3JJHMbDL1EzLkh9GBhXDw=="), "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
});

Deno.test("S98 signKey: it uses the key's code units as bytes", () => {
  const text = "é258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const bytes = Uint8Array.from(text, (it) => it.charCodeAt(0));
  assertEquals(signKey("é"), createHash("sha1").update(bytes).digest("base64"));
  assertEquals(signKey("\u{1e9}"), signKey("é"));
});

Deno.test("SHA-1: it passes the vectors of FIPS 180 and RFC 3174", () => {
  const vectors: [string, string][] = [
    ["", "da39a3ee5e6b4b0d3255bfef95601890afd80709"],
    ["abc", "a9993e364706816aba3e25717850c26c9cd0d89d"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
    ],
    ["a".repeat(1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"],
    ["0123456701234567".repeat(40), "dea356a2cddd90c7a7ecedc5ebb563934f460452"],
  ];
  for (const [text, digest] of vectors) assertEquals(hex(latin1(sha1(text))), digest);
});

Deno.test("SHA-1 and base64 agree with node:crypto on every length up to 300 and on large ones", () => {
  const random = seededRandom();
  const lengths = [...Array.from({ length: 301 }, (_, i) => i), 4095, 4096, 65_537];
  for (const length of lengths) {
    const bytes = Uint8Array.from({ length }, () => random.integer(0, 255));
    const message = `length ${length}, seed ${random.seed}`;
    const digest = createHash("sha1").update(bytes).digest("base64");
    assertEquals(
      btoa(sha1(bytes.reduce((text, it) => text + String.fromCharCode(it), ""))),
      digest,
      message,
    );
    assertEquals(encodeBase64(bytes), Buffer.from(bytes).toString("base64"), message);
  }
});

Deno.test("A handshake key is the base64 form of 16 bytes", () => {
  assert(isHandshakeKey("dGhlIHNhbXBsZSBub25jZQ=="));
  assert(isHandshakeKey("++++////++++////++++//=="));
  const wrong = [
    "",
    "dGhlIHNhbXBsZSBub25jZQ=",
    "dGhlIHNhbXBsZSBub25jZQ",
    "dGhlIHNhbXBsZSBub25jZQ==\n",
    " dGhlIHNhbXBsZSBub25jZQ==",
    "dGhlIHNhbXBsZSBub25j_Q==",
    "dGhlIHNhbXBsZSBub25jZWFh",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "AAAA",
  ];
  for (const key of wrong) assertFalse(isHandshakeKey(key), JSON.stringify(key));
});
