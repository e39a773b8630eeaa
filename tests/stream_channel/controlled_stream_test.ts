import { assertEquals, assertStrictEquals } from "@std/assert";
import { ControlledStream } from "../../src/stream_channel/controlled_stream.ts";
import { ChannelStreamController } from "../../src/stream_channel/stream_controller.ts";

Deno.test("the user's side of a stream reads from its controller, each way", async () => {
  const listened = new ChannelStreamController<number>();
  const values: number[] = [];
  const subscription = new ControlledStream(listened).listen((value) => values.push(value));
  listened.add(1);
  assertEquals([values, subscription.isPaused], [[1], false]);

  const pulled = new ChannelStreamController<number>();
  const stream = new ControlledStream(pulled);
  for (const value of [1, 2, 3]) pulled.add(value);
  pulled.end();
  assertEquals(await stream.next(), { done: false, value: 1 });
  for await (const value of stream) values.push(value);
  assertEquals(values, [1, 2, 3]);

  const viewed = new ControlledStream(new ChannelStreamController<number>());
  assertStrictEquals(viewed.readable, viewed.readable);
});

Deno.test("the user's side of a stream shows nothing else", () => {
  const { stream } = new ChannelStreamController<number>();
  assertEquals(Object.keys(stream), []);
  assertEquals(
    Object.getOwnPropertyNames(Object.getPrototypeOf(stream)),
    ["constructor", "listen", "next", "readable"],
  );
});
