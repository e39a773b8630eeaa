import { assert, assertEquals } from "@std/assert";
import { PlainLine } from "../../src/reconnecting/plain_line.ts";
import type { CloseInfo } from "../../src/web_socket/close_info.ts";
import { NativeChannel } from "../../src/native/native_channel.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { microtasks } from "../support/events.ts";

const LOST: CloseInfo = { code: 1006, reason: "", wasClean: false, initiator: "transport" };

/** An open line over a socket. */
async function opened(): Promise<{ line: PlainLine; socket: FakeWebSocket; told: string[] }> {
  const told: string[] = [];
  const line = new PlainLine({
    onOpen: () => told.push("open"),
    onDrained: () => told.push("drained"),
    onFault: () => told.push("fault"),
  }, { maxBuffer: 1000 });
  const socket = new FakeWebSocket();
  const channel = NativeChannel.from(socket);
  await microtasks();
  line.open(channel);
  return { line, socket, told };
}

Deno.test("plain line: the line forgets messages that the transport has sent when more are added", async () => {
  const { line, socket, told } = await opened();
  for (let i = 0; i < 1000; i++) line.add("x".repeat(1000), undefined);
  // Even if the connection reports more dropped bytes: the line has forgotten the rest.
  line.lose({ ...LOST, dropped: 1e9 });
  const { unsent } = line.end();
  assert(unsent.length <= 17, `${unsent.length}`);
  assertEquals([told, socket.sent.length], [["open", "drained"], 1000]);
  socket.closed({ code: 1006 });
});

Deno.test("plain line: the line keeps all messages that the transport has not sent, in order", async () => {
  const { line, socket } = await opened();
  const send = socket.send.bind(socket);
  socket.send = (data: unknown) => {
    send(data);
    socket.bufferedAmount += (data as string).length;
  };
  for (let i = 0; i < 1000; i++) line.add(`${i}`.padStart(100, " "), undefined);
  line.lose({ ...LOST, dropped: socket.bufferedAmount });
  line.add("behind", undefined);
  const { unsent } = line.end();
  assertEquals(unsent.length, 1001);
  assertEquals([unsent[0], unsent[999], unsent[1000]].map((it) => String(it).trim()), [
    "0",
    "999",
    "behind",
  ]);
  socket.closed({ code: 1006 });
});

Deno.test("plain line: the next connection first sends the queued messages of a lost one", async () => {
  const line = new PlainLine(
    { onOpen: () => {}, onDrained: () => {}, onFault: () => {} },
    { maxBuffer: 1000 },
  );
  for (const message of ["one", "two", "three"]) line.add(message, undefined);
  for (const isFirst of [true, false]) {
    const socket = new FakeWebSocket();
    const channel = NativeChannel.from(socket);
    await microtasks();
    line.open(channel);
    assertEquals(socket.sent, isFirst ? ["one", "two", "three"] : ["two", "three", "four"]);
    // The transport has sent the first message, and never sends the others.
    line.lose({ ...LOST, dropped: isFirst ? 8 : 0 });
    line.add(isFirst ? "four" : "five", undefined);
    if (isFirst) assertEquals(line.bufferedAmount, 96);
    socket.closed({ code: 1006 });
  }
  assertEquals(line.end().unsent, ["five"]);
});
