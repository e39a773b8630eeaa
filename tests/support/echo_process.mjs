/**
 * A server that only echoes short messages, and on the path /read only reads, for tests that inspect the
 * memory or the work of their own process. Run it as a program. It prints its port.
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { createServer } from "node:net";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

function upgrade(socket, head) {
  const key = /^sec-websocket-key: (.*)$/im.exec(head)[1].trim();
  const accept = createHash("sha1").update(key + GUID).digest("base64");
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
}

/** Answers each complete frame of at most 125 bytes; returns the remaining bytes. */
function answer(socket, bytes) {
  while (bytes.length >= 6 && bytes.length >= 6 + (bytes[1] & 127)) {
    const length = bytes[1] & 127;
    const payload = bytes.subarray(6, 6 + length).map((byte, i) => byte ^ bytes[2 + i % 4]);
    socket.write(Buffer.concat([Buffer.of(bytes[0], length), payload]));
    if ((bytes[0] & 15) === 8) socket.end();
    bytes = bytes.subarray(6 + length);
  }
  return bytes;
}

const server = createServer({ noDelay: true }, (socket) => {
  let isOpen = false;
  let onlyReads = false;
  let bytes = Buffer.alloc(0);
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    if (onlyReads) return;
    bytes = Buffer.concat([bytes, chunk]);
    if (!isOpen && bytes.includes("\r\n\r\n")) {
      isOpen = true;
      onlyReads = bytes.toString("latin1").startsWith("GET /read ");
      upgrade(socket, bytes.toString("latin1"));
      bytes = Buffer.alloc(0);
    }
    if (isOpen) bytes = answer(socket, bytes);
  });
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
