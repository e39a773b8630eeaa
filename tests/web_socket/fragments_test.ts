import { assert, assertEquals, assertRejects } from "@std/assert";
import { pullFrom } from "../../src/stream_channel/add_stream.ts";
import { Fragments } from "../../src/web_socket/fragments.ts";
import type { MessageInput } from "../../src/web_socket/web_socket_sink.ts";
import { joined, utf8 } from "../support/bytes.ts";
import { seededRandom } from "../support/random.ts";

/** Returns all pieces of a source. */
async function piecesOf(chunks: Iterable<MessageInput>, isText: boolean): Promise<Uint8Array[]> {
  const fragments = new Fragments(pullFrom<MessageInput>([...chunks]), isText);
  const pieces: Uint8Array[] = [];
  for (;;) {
    const { done, value } = await fragments.next();
    if (done === true) return pieces;
    pieces.push((value as Uint8Array).slice());
  }
}

Deno.test("fragments: chunks of any size become pieces of at most 64 KiB, and none is empty", async () => {
  const bytes = seededRandom().bytes(200_000);
  for (const chunks of [[bytes], [bytes.subarray(0, 1), new Uint8Array(), bytes.subarray(1)]]) {
    const pieces = await piecesOf(chunks, false);
    assert(pieces.every(({ length }) => length > 0 && length <= 65_536));
    assertEquals(joined(pieces), bytes);
  }
  assertEquals(await piecesOf([], false), []);
  assertEquals(await piecesOf([new ArrayBuffer(0), ""], true), []);
});

Deno.test("fragments: a text stays the same wherever it is cut, as strings and as bytes", async () => {
  const text = "aé€🎨".repeat(20_000);
  const random = seededRandom();
  const chunks: MessageInput[] = [];
  for (let at = 0; at < text.length;) {
    const size = random.integer(0, 9000);
    // A string must follow the first half of a code point.
    chunks.push(text.slice(at, at += size));
  }
  assertEquals(joined(await piecesOf(chunks, true)), utf8(text));
  const bytes = utf8(text);
  const cut: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 997) cut.push(bytes.subarray(at, at + 997));
  assertEquals(joined(await piecesOf(cut, true)), bytes);
});

Deno.test("fragments: half a code point before bytes or at the end becomes U+FFFD", async () => {
  const half = "🎨".slice(0, 1);
  for (const chunks of [["a", half], [`a${half}`], [half, "a"]]) {
    const expected = utf8(new TextDecoder().decode(utf8(chunks.join(""))));
    assertEquals(joined(await piecesOf(chunks, true)), expected);
  }
  assertEquals(joined(await piecesOf([half, utf8("é")], true)), utf8("\ufffdé"));
});

Deno.test("fragments: invalid UTF-8 is rejected in a text, and not checked in a binary message", async () => {
  const bad = [[Uint8Array.of(0xff)], ["a", Uint8Array.of(0xe2, 0x82)], [
    Uint8Array.of(0xe2),
    "b",
  ]];
  for (const chunks of bad) {
    await assertRejects(() => piecesOf(chunks, true), TypeError, "are not UTF-8");
    assert((await piecesOf(chunks, false)).length > 0);
  }
  await assertRejects(
    () => piecesOf([1 as unknown as string], true),
    TypeError,
    "must be a string",
  );
});

Deno.test("fragments: cancelling cancels the source", () => {
  let isCancelled = false;
  const source = new ReadableStream<string>({ cancel: () => void (isCancelled = true) });
  new Fragments(pullFrom<MessageInput>(source), true).cancel();
  assert(isCancelled);
});
