import { assertEquals } from "@std/assert";
import { record } from "../support/events.ts";
import { NOTHING_LEFT, Rig } from "./support.ts";

Deno.test("reconnecting: it connects, is lost, waits and connects again, with one stream", async () => {
  const rig = new Rig();
  const { events } = record(rig.channel.stream);
  rig.channel.sink.add("early");
  assertEquals(rig.channel.state.name, "connecting");
  assertEquals(rig.channel.connection, null);
  await rig.open();
  assertEquals(rig.socket.sent, ["early"]);
  assertEquals(rig.channel.connection?.state, "open");
  rig.socket.message("one");
  await rig.lose();
  assertEquals(rig.channel.connection, null);
  await rig.advance(249);
  assertEquals(rig.sockets.length, 1);
  await rig.advance(1);
  await rig.open();
  rig.socket.message("two");
  assertEquals(events, ["one", "two"]);
  await rig.channel.close(3000, "enough");
  const info = await rig.channel.closed;
  assertEquals([info.code, info.reason, info.initiator, info.attempts], [
    3000,
    "enough",
    "local",
    2,
  ]);
  assertEquals(info.unsent, []);
  assertEquals(events, ["one", "two", "done"]);
  assertEquals(rig.names, "connecting open waiting connecting open closing closed");
  assertEquals(rig.left, NOTHING_LEFT);
});
