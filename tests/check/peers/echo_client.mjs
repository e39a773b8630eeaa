// An echo client of another implementation: npm `ws`, or the runtime's own WebSocket. It requests the list of cases
// and runs eight at a time.
const [url, name] = globalThis.Deno?.args ?? globalThis.process.argv.slice(2);
const isWs = name === "ws";
const WebSocket = isWs ? (await import("ws")).WebSocket : globalThis.WebSocket;

function run(path, protocols, onMessage) {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${url}${path}`, protocols);
    socket.binaryType = "arraybuffer";
    if (isWs) {
      socket.on(
        "message",
        (data, isBinary) => onMessage(socket, isBinary ? data : data.toString()),
      );
    } else socket.onmessage = ({ data }) => onMessage(socket, data);
    socket.onerror = () => {};
    socket.onclose = resolve;
  });
}

let cases = [];
await run("/cases", [], (_socket, text) => cases = JSON.parse(text));
async function work() {
  for (let next = cases.shift(); next !== undefined; next = cases.shift()) {
    const { path, protocols } = next;
    await run(path, protocols, (socket, data) => socket.send(data));
  }
}
await Promise.all(Array.from({ length: 8 }, work));
