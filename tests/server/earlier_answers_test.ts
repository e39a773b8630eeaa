import { assertEquals } from "@std/assert";
import { EventEmitter } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { EarlierAnswers, owesAnswers } from "../../src/server/earlier_answers.ts";
import type { UpgradeSocket } from "../../src/server/upgrade_socket.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { closeServer, listen } from "../support/loopback.ts";

/** A socket of `node:http` that answers are written to. */
class FakeSocket extends EventEmitter {
  _httpMessage: EventEmitter | null | undefined;

  get asSocket(): UpgradeSocket {
    return this as unknown as UpgradeSocket;
  }
}

Deno.test("earlier answers: the server sends them in order, and each drain belongs to the current one", () => {
  const socket = new FakeSocket();
  assertEquals(owesAnswers(socket.asSocket), false);
  const [first, second] = [new EventEmitter(), new EventEmitter()];
  socket._httpMessage = first;
  assertEquals(owesAnswers(socket.asSocket), true);
  const log: string[] = [];
  new EarlierAnswers(socket.asSocket, () => log.push("done"));
  first.on("drain", () => log.push("drain"));
  socket.emit("drain");
  socket._httpMessage = second;
  first.emit("finish");
  socket.emit("drain");
  assertEquals(log, ["drain"]);
  socket._httpMessage = null;
  second.emit("finish");
  assertEquals(log, ["drain", "done"]);
  assertEquals([socket.listenerCount("drain"), second.listenerCount("finish")], [0, 0]);
});

Deno.test("earlier answers: stopping removes every listener", () => {
  const socket = new FakeSocket();
  const answer = socket._httpMessage = new EventEmitter();
  const waiting = new EarlierAnswers(socket.asSocket, () => {
    throw new Error("Called although it was stopped");
  });
  waiting.stop();
  answer.emit("finish");
  assertEquals([socket.listenerCount("drain"), answer.listenerCount("finish")], [0, 0]);
});

Deno.test("the undocumented socket._httpMessage is the response that node:http still has to send", async () => {
  const answers: unknown[] = [];
  const server = createServer(({ socket }, response: ServerResponse) => {
    const field = (socket as { _httpMessage?: unknown })._httpMessage;
    answers.push(field === response, owesAnswers(socket));
    response.end("page");
  });
  const port = await listen(server);
  const client = new RawClient(`ws://127.0.0.1:${port}`);
  client.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  await client.end();
  await client.destroy();
  await closeServer(server);
  assertEquals(answers, [true, true]);
});
