// An echo server with Bun's own WebSocket. The text "close" makes it close with 3001 "you asked me to".
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const offered = request.headers.get("sec-websocket-protocol")?.split(/,\s*/) ?? [];
    const headers = offered.includes("chat") ? { "Sec-WebSocket-Protocol": "chat" } : {};
    if (server.upgrade(request, { headers })) return;
    return new Response("no", { status: 404 });
  },
  websocket: {
    maxPayloadLength: 64 * 1024 * 1024,
    perMessageDeflate: true,
    message(socket, message) {
      if (message === "close") socket.close(3001, "you asked me to");
      else socket.send(message);
    },
    close(_socket, code, reason) {
      console.log(JSON.stringify({ code, reason }));
    },
  },
});
console.log(JSON.stringify({ port: server.port }));
