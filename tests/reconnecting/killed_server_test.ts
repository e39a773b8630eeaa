// Deno only: kills a Deno process

/** Kills a server's process: its sessions were in its memory, and the client reports the loss. */

import { assertEquals } from "@std/assert";
import {
  ReconnectingChannel,
  type ReconnectingState,
  resumption,
} from "../../src/reconnecting/mod.ts";
import type { Message } from "../../src/web_socket/web_socket_channel.ts";
import { until } from "../support/turns.ts";

const PROGRAM = new URL("./programs/session_server.ts", import.meta.url).pathname;

async function start(port: number): Promise<{ port: number; child: Deno.ChildProcess }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", "--no-check", PROGRAM, `${port}`],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return { port: Number(new TextDecoder().decode(value)), child };
}

Deno.test({
  name:
    "resumption: the client reports a reset with the unacknowledged messages after its server was killed",
  ignore: Deno.build.os === "windows",
  async fn() {
    const first = await start(0);
    const states: ReconnectingState[] = [];
    const url = `ws://127.0.0.1:${first.port}`;
    const channel = ReconnectingChannel.connect(url, {
      resume: resumption(),
      firstDelay: 10,
      onState: (state) => {
        states.push(state);
        if (state.name !== "reset") return;
        for (const message of state.unacknowledged) channel.sink.add(message);
      },
    });
    const received: Message[] = [];
    channel.stream.listen((message) => received.push(message));
    channel.sink.add("acknowledged");
    await channel.sink.flush();
    await until(() => received.length === 1);
    // The server hangs and reads nothing more before the test kills it.
    first.child.kill("SIGSTOP");
    channel.sink.add("handed on");
    await until(() => channel.connection?.sink.bufferedAmount === 0);
    first.child.kill("SIGKILL");
    await first.child.status;
    await until(() => channel.connection === null);
    channel.sink.add("added while away");
    const second = await start(first.port);
    await until(() => received.length === 3);
    const names = states.map(({ name }) => name);
    assertEquals(names.filter((it) => it === "reset" || it === "open"), ["open", "reset", "open"]);
    assertEquals(received, ["acknowledged", "handed on", "added while away"]);
    await channel.close();
    second.child.kill("SIGKILL");
    await second.child.status;
  },
});
