// An echo server with Deno's own WebSocket. The text "close" makes it close with 3001 "you asked me to".
Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(JSON.stringify({ port })),
}, (request) => {
  if (request.headers.get("upgrade") !== "websocket") return new Response("no", { status: 404 });
  const offered = request.headers.get("sec-websocket-protocol")?.split(/,\s*/) ?? [];
  const protocol = offered.includes("chat") ? { protocol: "chat" } : {};
  const { socket, response } = Deno.upgradeWebSocket(request, protocol);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (data === "close") socket.close(3001, "you asked me to");
    else socket.send(data);
  };
  socket.onclose = ({ code, reason }) => console.log(JSON.stringify({ code, reason }));
  return response;
});
