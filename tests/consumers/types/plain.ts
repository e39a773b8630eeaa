/** A project that names no library beyond ES2022 and the DOM. */

import { type Message, WebSocketChannel } from "web-socket-channel";

export async function read(url: string): Promise<Message[]> {
  await using channel = WebSocketChannel.connect(url);
  const messages: Message[] = [];
  for await (const message of channel.stream) {
    messages.push(typeof message === "string" ? message.toUpperCase() : message.subarray(1));
  }
  const { done, value } = await channel.stream[Symbol.asyncIterator]().next();
  if (done !== true) messages.push(value);
  // @ts-expect-error: nothing is left when it is done
  else messages.push(value);
  return messages;
}
