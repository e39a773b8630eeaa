import { assert, assertEquals, assertThrows } from "@std/assert";
import { ChannelSinkController } from "../../src/stream_channel/sink_controller.ts";
import { type Capabilities, NO_CAPABILITIES } from "../../src/web_socket/capabilities.ts";
import { type ChannelCore, Inlet, Outlet } from "../../src/web_socket/channel_ends.ts";
import type { ChannelState } from "../../src/web_socket/web_socket_channel.ts";
import type { MessageInput, SendOptions } from "../../src/web_socket/web_socket_sink.ts";

class Core implements ChannelCore {
  readonly ending = undefined;
  state: ChannelState = "connecting";
  capabilities: Capabilities = NO_CAPABILITIES;
  readonly told: unknown[] = [];
  readonly outlet: Outlet = new Outlet(this);
  readonly outgoing: ChannelSinkController<MessageInput> = new ChannelSinkController<MessageInput>(
    this.outlet,
  );
  amount = 0;

  sendMessage(message: MessageInput, options: SendOptions | undefined): void {
    this.told.push(options === undefined ? message : [message, options]);
  }

  heldAmount(): number {
    return 0;
  }
  transportAmount(): number {
    return this.amount;
  }

  transportLoad(): number {
    return this.amount;
  }

  pauseTransport(): void {
    this.told.push("pause");
  }

  resumeTransport(): void {
    this.told.push("resume");
  }

  watchTransport(): void {
    this.told.push("watch");
  }

  closeWith(code: number | undefined, reason: string | undefined): Promise<void> {
    this.told.push(["closeWith", code, reason]);
    return Promise.resolve();
  }

  endHere(): void {
    this.told.push("endHere");
  }

  endWith(error: unknown): void {
    this.told.push(["endWith", error]);
  }
}

Deno.test("inlet: what the stream asks for is the transport's, closing is the channel's", () => {
  const core = new Core();
  const inlet = new Inlet(core);
  inlet.pause();
  inlet.resume();
  inlet.close();
  assertEquals(core.told, ["pause", "resume", ["closeWith", undefined, undefined]]);
});

Deno.test("outlet: messages wait until the channel is open, and count", () => {
  const core = new Core();
  core.amount = 10;
  core.outlet.add("abc");
  assertEquals([core.told, core.outlet.bufferedAmount], [[], 13]);
  core.state = "open";
  core.outlet.sendEarly();
  core.outlet.add("d");
  assertEquals([core.told, core.outlet.bufferedAmount], [["abc", "d"], 10]);
});

Deno.test("outlet: what waited is dropped with the attempt, and counts still", () => {
  const core = new Core();
  core.outlet.add("abc");
  core.outlet.dropEarly();
  core.state = "open";
  assertEquals(core.outlet.bufferedAmount, 3);
  core.outlet.sendEarly();
  assertEquals(core.told, []);
});

Deno.test("outlet: a message's options are its own", () => {
  const core = new Core();
  core.state = "open";
  assertThrows(() => core.outlet.addWith("secret", { compress: false }), Error, "compress");
  core.capabilities = { ...NO_CAPABILITIES, "compressionOptions": true };
  assert(core.outlet.addWith("secret", { compress: false }));
  core.outlet.add("public");
  assertEquals(core.told, [["secret", { compress: false }], "public"]);
});

Deno.test("outlet: the wrong kind is a TypeError; closing and errors are the channel's", () => {
  const core = new Core();
  const wrong = 1 as unknown as string;
  assertThrows(() => core.outlet.add(wrong), TypeError);
  assertThrows(() => core.outlet.check(wrong), TypeError);
  core.outlet.watch();
  core.state = "open";
  core.outlet.watch();
  core.outlet.close();
  core.outlet.abort("error");
  void core.outlet.closeWith(3000, "why");
  assertEquals(core.told, ["watch", "endHere", ["endWith", "error"], ["closeWith", 3000, "why"]]);
});
