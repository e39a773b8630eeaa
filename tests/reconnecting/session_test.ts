import { assertEquals } from "@std/assert";
import { MIN_SIZE } from "../../src/stream_channel/counted_queue.ts";
import { kept, Session, UNLIMITED } from "../../src/reconnecting/session.ts";

function create(maxBuffer = 1000): Session {
  return new Session({ pool: UNLIMITED, unread: UNLIMITED, maxBuffer });
}

Deno.test("session: a hello acknowledges all received messages", () => {
  const session = create();
  session.receive(`=${"x".repeat(400)}`);
  session.receive("=two");
  assertEquals([session.canTell, session.mustTell], [true, true]);
  session.resume(0, 1000, false);
  assertEquals([session.canTell, session.mustTell], [false, false]);
  assertEquals(session.tell(false), "#2");
});

Deno.test("session: a connection doesn't answer a question of the previous, lost one", () => {
  const session = create();
  session.receive("?");
  assertEquals(session.isAsked, true);
  session.resume(0, 1000, false);
  assertEquals(session.isAsked, false);
  session.resume(0, 1000, true);
  assertEquals(session.isAsked, true);
});

Deno.test("session: an impossible count changes nothing", () => {
  const session = create();
  session.keep(kept("one", undefined));
  session.next();
  session.receive("?");
  for (const count of [2, -1]) assertEquals(session.resume(count, 5, false), false);
  assertEquals([session.size, session.isAsked, session.isHandedOn], [MIN_SIZE, true, true]);
  assertEquals(session.resume(1, 5, false), true);
  assertEquals(session.resume(0, 5, false), false);
  assertEquals([session.size, session.unacknowledged], [0, []]);
});

Deno.test("session: messages sent to a peer without resumption aren't kept", () => {
  const session = create();
  for (const text of ["one", "two"]) session.keep(kept(text, undefined));
  assertEquals(session.first.wire, "=one");
  session.letGo();
  assertEquals([session.size, session.first.wire], [MIN_SIZE, "=two"]);
  assertEquals([session.unacknowledged, session.unsent.length], [[], 1]);
  session.letGo();
  assertEquals([session.size, session.hasNext], [0, false]);
});
