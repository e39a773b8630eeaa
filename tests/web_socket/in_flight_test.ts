import { assert, assertEquals, assertFalse } from "@std/assert";
import { InFlight } from "../../src/web_socket/in_flight.ts";

Deno.test("in flight: write releases the payloads after the transport has sent everything", () => {
  const inFlight = new InFlight(0);
  inFlight.add(104, 100, 104);
  inFlight.add(54, 50, 158);
  assertEquals(inFlight.payload(158), 150);
  assertEquals(inFlight.payload(55), 150);
  assertEquals(inFlight.payload(54), 50);
  assertEquals(inFlight.payload(54), 50);
  inFlight.add(2, 0, 56);
  assertEquals(inFlight.payload(3), 50);
  assertEquals(inFlight.payload(2), 0);
  assertEquals(inFlight.payload(0), 0);
});

Deno.test("in flight: a write releases the payloads that the transport has sent meanwhile", () => {
  const inFlight = new InFlight(0);
  inFlight.add(104, 100, 104);
  inFlight.add(54, 50, 54);
  assertEquals(inFlight.payload(54), 50);
});

Deno.test("in flight: the transport sends bytes that were buffered before a write first", () => {
  const inFlight = new InFlight(300);
  inFlight.add(104, 100, 404);
  assertEquals(inFlight.payload(404), 100);
  assertEquals(inFlight.payload(104), 100);
  assertEquals(inFlight.payload(0), 0);
});

Deno.test("in flight: a Close is sent with the write that contains it", () => {
  const inFlight = new InFlight(0);
  assertFalse(inFlight.hasClose(0));
  inFlight.add(104, 100, 104);
  inFlight.addClose();
  assertFalse(inFlight.hasClose(1));
  assert(inFlight.hasClose(0));
  inFlight.add(10, 0, 114);
  inFlight.addClose();
  assert(inFlight.hasClose(10));
  assertFalse(inFlight.hasClose(11));
});
