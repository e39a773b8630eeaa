import { releasePort, takePort } from "../../src/stream_channel/ports_in_use.ts";
import { assertInvalidState } from "../support/events.ts";

Deno.test("a port has one channel at a time", () => {
  const port = {};
  takePort(port, "channel");
  assertInvalidState(() => takePort(port, "channel"));
  assertInvalidState(() => takePort(port, "receiving"));
  assertInvalidState(() => takePort(port, "sent"));
  takePort({}, "channel");
  releasePort(port, "channel");
  takePort(port, "channel");
});

Deno.test("a port receives one channel in its life, unless waiting for it was given up", () => {
  const port = {};
  takePort(port, "receiving");
  assertInvalidState(() => takePort(port, "receiving"));
  assertInvalidState(() => takePort(port, "channel"));
  releasePort(port, "receiving");
  takePort(port, "receiving");
  releasePort(port, "receiving", "received");
  assertInvalidState(() => takePort(port, "receiving"));
  takePort(port, "channel");
});

Deno.test("a port sends one channel in its life", () => {
  const port = {};
  takePort(port, "sent");
  assertInvalidState(() => takePort(port, "sent"));
  takePort(port, "receiving");
});
