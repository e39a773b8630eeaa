// An echo server of another implementation: npm `ws`, or the runtime's own. It prints its port.
const name = globalThis.Deno?.args[0] ?? globalThis.process.argv[2];
const LIMIT = 64 * 1024 * 1024;

if (name === "deno") {
  globalThis.Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => console.log(JSON.stringify({ port })),
  }, (request) => {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return new Response("no", { status: 426 });
    }
    const { socket, response } = globalThis.Deno.upgradeWebSocket(request);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  });
} else if (name === "bun") {
  const server = globalThis.Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, server) =>
      server.upgrade(request) ? undefined : new Response("no", { status: 426 }),
    websocket: {
      maxPayloadLength: LIMIT,
      perMessageDeflate: true,
      message: (socket, message) => void socket.send(message),
    },
  });
  console.log(JSON.stringify({ port: server.port }));
} else {
  const { WebSocketServer } = await import("ws");
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    perMessageDeflate: true,
    maxPayload: LIMIT,
  });
  server.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  server.on("listening", () => console.log(JSON.stringify({ port: server.address().port })));
}
