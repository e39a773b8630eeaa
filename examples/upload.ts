// An upload of 200 MB: the server reports its progress, and answers with a checksum at the end. Both
// sides keep only a few chunks in memory. Run it without arguments.
import { createHash } from "node:crypto";
import { WebSocketChannel } from "@web-socket/channel";
import { WebSocketServer } from "@web-socket/channel/server";

const server = await WebSocketServer.bind({
  port: 0,
  async handler(guest) {
    const hash = createHash("sha256");
    let size = 0;
    for await (const chunk of guest.stream) {
      if (typeof chunk === "string") break; // the end of the upload
      hash.update(chunk);
      size += chunk.length;
      if (size % 50_000_000 === 0) guest.sink.add(`received ${size / 1_000_000} MB`);
    }
    guest.sink.add(`checksum ${hash.digest("hex")}`);
    await guest.sink.close(1000); // sends earlier messages first
  },
});

// In a real program, use a file's stream, such as createReadStream("video.mp4").
const hash = createHash("sha256");
async function* file(): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < 2000; i++) {
    const chunk = new Uint8Array(100_000).fill(i);
    hash.update(chunk);
    yield chunk;
  }
}

const channel = await WebSocketChannel.open(server.url);
let answer: unknown;
channel.stream.listen((message) => console.log(answer = message));
await channel.sink.addStream(file()); // waits for room; rejects when the connection is lost
channel.sink.add("that was all");
await channel.closed;
console.log(answer === `checksum ${hash.digest("hex")}` ? "complete" : "not complete");
await server.close();
