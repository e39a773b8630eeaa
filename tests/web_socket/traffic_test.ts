import { assertEquals } from "@std/assert";
import { Traffic } from "../../src/web_socket/traffic.ts";

Deno.test("traffic: it starts at zero, and counts each direction separately", () => {
  const [one, other] = [new Traffic(), new Traffic()];
  one.received.messages++;
  one.received.bytes += 7;
  assertEquals({ ...one }, {
    received: { messages: 1, bytes: 7 },
    sent: { messages: 0, bytes: 0 },
  });
  assertEquals(other.received, other.sent);
  assertEquals(other.sent, { messages: 0, bytes: 0 });
});
