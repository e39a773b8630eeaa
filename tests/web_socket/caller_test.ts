/** The stack of a connection error contains the caller, so that an uncaught error points to the user's line. */

import { assert, assertInstanceOf, assertMatch } from "@std/assert";
import { connectOver } from "../../src/web_socket/over.ts";
import { ConnectError, WebSocketChannel } from "../../mod.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { FakeBytes } from "./support.ts";

/** Some engines drop the frame of a function that only calls another one. */
function myOwnProgram<T>(connect: () => T): T {
  const made = connect();
  assert(made !== null);
  return made;
}

async function errorOf(opened: Promise<unknown>): Promise<Error> {
  const error = await opened.then(() => null, (it: unknown) => it);
  assertInstanceOf(error, Error);
  return error;
}

function assertShowsCaller(error: Error): void {
  const stack = error.stack ?? "";
  assert(stack.startsWith(`${error.name}: ${error.message}\n`), stack);
  assertMatch(stack, /myOwnProgram/);
}

Deno.test("caller: the stack contains the caller of connect and open, with either transport", async () => {
  const url = "ws://127.0.0.1:9";
  const channels = [
    myOwnProgram(() => WebSocketChannel.connect(url)),
    myOwnProgram(() => WebSocketChannel.connect(url, { transport: "native" })),
    myOwnProgram(() => WebSocketChannel.connect(url, { transport: "net" })),
  ];
  for (const channel of channels) assertShowsCaller(await errorOf(channel.ready));
  assertShowsCaller(await errorOf(myOwnProgram(() => WebSocketChannel.open(url))));
});

Deno.test("caller: the stack contains the caller of connectOver, after a refusal and after a timeout", async () => {
  const bytes = new FakeBytes();
  const refused = myOwnProgram(() => connectOver(bytes, "ws://a.test"));
  bytes.receive(new TextEncoder().encode("SSH-2.0\r\n"));
  const error = await errorOf(refused.ready);
  assertInstanceOf(error, ConnectError);
  assertShowsCaller(error);
  const clock = new ManualClock();
  const late = myOwnProgram(() => connectOver(new FakeBytes(), "ws://a.test", {}, clock));
  clock.advance(30_000);
  assertShowsCaller(await errorOf(late.ready));
});
