import { assert, assertEquals, assertFalse } from "@std/assert";
import { InFlight } from "../../src/web_socket/in_flight.ts";

Deno.test("in flight: payloads are released by write, when the transport has taken everything", () => {
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

Deno.test("in flight: a write releases the payloads that the transport took meanwhile", () => {
  const inFlight = new InFlight(0);
  inFlight.add(104, 100, 104);
  inFlight.add(54, 50, 54);
  assertEquals(inFlight.payload(54), 50);
});

Deno.test("in flight: bytes that were buffered before a write are taken before it", () => {
  const inFlight = new InFlight(300);
  inFlight.add(104, 100, 404);
  assertEquals(inFlight.payload(404), 100);
  assertEquals(inFlight.payload(104), 100);
  assertEquals(inFlight.payload(0), 0);
});

Deno.test("in flight: a Close is taken with the write that holds it", () => {
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
