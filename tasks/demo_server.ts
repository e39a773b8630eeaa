/**
 * The server that the demonstration talks to: npm `ws`, and nothing of this project. It sends every
 * message back, and prints each event as a line on standard output. The first line is its URL.
 *
 * It ends with its standard input, so that it can't outlive its parent process.
 */

// @ts-types="../tests/support/ws.d.ts"
import { type WebSocket, WebSocketServer } from "ws";

const SUBPROTOCOL = "demo.v1";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  handleProtocols: (offered) => offered.has(SUBPROTOCOL) && SUBPROTOCOL,
});

server.on("listening", () => console.log(`ws://127.0.0.1:${server.address().port}`));
server.on("connection", serve);

function serve(socket: WebSocket): void {
  console.log(`a client is here, subprotocol ${socket.protocol || "none"}`);
  socket.on("message", (data, isBinary) => {
    console.log(`got ${isBinary ? "binary" : "text"}, ${data.length.toLocaleString("en")} bytes`);
    socket.send(isBinary ? data : data.toString());
  });
  socket.on("close", (code, reason) => {
    console.log(`the client closed: code ${code}, reason "${reason}"`);
    Deno.exit(0);
  });
}

for await (const _ of Deno.stdin.readable) {
  // Only the end of the input matters.
}
Deno.exit(0);
