// A server that accepts a token in several places, for different kinds of clients. Run it without arguments.
import { createHash } from "node:crypto";
import { type ConnectError, type ConnectOptions, WebSocketChannel } from "@web-socket/channel";
import { WebSocketServer } from "@web-socket/channel/server";

// The server keeps and looks up digests only, so the time of a lookup reveals nothing about a token.
const digest = (token: string) => createHash("sha256").update(token).digest("hex");
const users = new Map([[digest("a-secret-token"), "the gardener"]]);

const server = await WebSocketServer.bind({
  port: 0,
  verify({ headers, cookies, url, protocols }) {
    const token = headers.get("authorization")?.replace("Bearer ", "") ??
      cookies.get("token") ??
      url.searchParams.get("token") ??
      protocols.find((it) => it.startsWith("token."))?.slice("token.".length);
    const user = users.get(digest(token ?? ""));
    return user === undefined ? { status: 401 } : { context: { user } };
  },
  protocols: ["chat"], // a client with its token in a subprotocol offers this one too
  handler: (guest) => void guest.sink.add(`hello, ${guest.context.user}`),
});

async function login(way: string, path: string, options: ConnectOptions = {}): Promise<void> {
  const channel = WebSocketChannel.connect(server.url + path, options);
  try {
    console.log(`${way}: ${(await channel.stream.next()).value}`);
    await channel.sink.close();
  } catch (error) {
    console.log(`${way}: refused with ${(error as ConnectError).status}`);
  }
}

await login("header", "/", { headers: { Authorization: "Bearer a-secret-token" } });
await login("cookie", "/", { headers: { Cookie: "theme=dark; token=a-secret-token" } });
await login("query", "/?token=a-secret-token");
await login("subprotocol", "/", { protocols: ["chat", "token.a-secret-token"] });
await login("wrong token", "/?token=a-guess");
await login("no token", "/");
await server.close();
