import { assert, assertEquals, assertRejects } from "@std/assert";
import { MemoryConnection } from "../../src/testing/memory_connection.ts";
import { microtasks, record, settled } from "../support/events.ts";
import { FakeClock } from "../support/fake_clock.ts";

const ONE = Uint8Array.of(1);

Deno.test("each side reads what the other one writes", async () => {
  const { client, server } = new MemoryConnection(new FakeClock());
  const [atClient, atServer] = [record(client.stream), record(server.stream)];
  client.sink.add(ONE);
  server.sink.add(Uint8Array.of(2));
  await microtasks();
  assertEquals(atServer.events, [ONE]);
  assertEquals(atClient.events, [Uint8Array.of(2)]);
});

Deno.test("closing ends one half; it is over when the other half has ended, too", async () => {
  const { client, server } = new MemoryConnection(new FakeClock());
  const [atClient, atServer] = [record(client.stream), record(server.stream)];
  const closed = client.sink.close();
  await microtasks();
  assertEquals(atServer.events, ["done"]);
  server.sink.add(ONE);
  await microtasks();
  // Closing this side's sink ended this side's stream only as far as the channel above says so.
  assertEquals(atClient.events, [ONE]);
  assertEquals(await settled(closed), false);
  await server.sink.close();
  await closed;
  assertEquals(atClient.events, [ONE, "done"]);
});

Deno.test("destroyed: the other side reads what was sent, then the end, and can send no more", async () => {
  const { client, server } = new MemoryConnection(new FakeClock());
  const [atClient, atServer] = [record(client.stream), record(server.stream)];
  client.sink.add(ONE);
  server.sink.add(ONE);
  const lost = server.sink.flush();
  client.destroy?.();
  client.destroy?.();
  await client.sink.done;
  await server.sink.done;
  await assertRejects(() => lost);
  assertEquals(atServer.events, [ONE, "done"]);
  assertEquals(atClient.events, ["done"]);
  assertEquals(server.sink.add(ONE), false);
  server.destroy?.();
});

Deno.test("destroyed behind one's own end", async () => {
  const { client, server } = new MemoryConnection(new FakeClock());
  void client.sink.close();
  await microtasks();
  client.destroy?.();
  await client.sink.done;
  await server.sink.done;
});

Deno.test("an error in a sink destroys", async () => {
  const { client, server } = new MemoryConnection(new FakeClock());
  const { events } = record(server.stream);
  client.sink.addError(new Error("broken"));
  await assertRejects(() => client.sink.done, Error, "broken");
  await server.sink.done;
  assertEquals(events, ["done"]);
});

Deno.test("reset: both streams fail at once, and what was on the way is lost", async () => {
  const connection = new MemoryConnection(new FakeClock());
  const { client, server } = connection;
  const [atClient, atServer] = [record(client.stream), record(server.stream)];
  client.sink.add(ONE);
  connection.reset();
  connection.reset();
  await Promise.all([client.sink.done, server.sink.done]);
  for (const { events } of [atClient, atServer]) {
    const [failure, done] = events as [[string, Error], string];
    assertEquals([failure[0], failure[1].message, done], [
      "error",
      "The connection was reset",
      "done",
    ]);
  }
  client.destroy?.();
  assert(!client.sink.add(ONE));
});
