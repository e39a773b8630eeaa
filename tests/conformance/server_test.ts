/** Our own server with each client. */

// @ts-types="../support/ws.d.ts"
import { WebSocket as WsWebSocket } from "ws";
import { WebSocketChannel } from "../../mod.ts";
import type { WebSocketLike } from "../../src/native/web_socket_like.ts";
import { parseConnect } from "../../src/web_socket/connect_request.ts";
import { readConnectOptions } from "../../src/web_socket/read_options.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { startBoundRecipe } from "../server/platform_recipes.ts";
import { startServerRecipe } from "../server/server_recipes.ts";
import { allBut } from "./left_out.ts";
import { OWN_TRAITS, testWebSocketChannel, type Traits } from "./mod.ts";

/** How each platform's own client behaves where platforms differ. */
const native: Traits = {
  ownProtocol: false,
  allCloseCodes: platform() === "bun",
  headers: true,
  checksAccept: platform() !== "deno",
  tellsStatus: platform() === "deno" || platform() === "bun",
  seesCloseBeforeTcpEnds: platform() === "deno",
  keepsByteOrderMark: platform() !== "node",
};

testWebSocketChannel("our server, our client", {
  traits: OWN_TRAITS,
  connect: (url, options) => WebSocketChannel.connect(url, { ...options, transport: "net" }),
  startRecipe: startServerRecipe,
});

testWebSocketChannel("WebSocketServer, our client", {
  traits: OWN_TRAITS,
  connect: (url, options) => WebSocketChannel.connect(url, { ...options, transport: "net" }),
  startRecipe: startBoundRecipe,
});

testWebSocketChannel("our server, our client, compressed", {
  traits: OWN_TRAITS,
  connect: (url, options) =>
    WebSocketChannel.connect(url, {
      ...options,
      transport: "net",
      compression: { threshold: 0 },
    }),
  startRecipe: (name, options) =>
    startServerRecipe(name, { ...options, compression: { threshold: 0 } }),
});

if (typeof globalThis.WebSocket === "function") {
  testWebSocketChannel("our server, the platform's client", {
    traits: native,
    connect: (url, options) => WebSocketChannel.connect(url, { ...options, transport: "native" }),
    startRecipe: startBoundRecipe,
  });
}

testWebSocketChannel("our server, npm ws", {
  traits: { ...native, ...wsTraits() },
  connect(url, given) {
    const { headers: _, followRedirects: _redirects, ...options } = readConnectOptions(given);
    const { url: checked, protocols, headers } = parseConnect(url, given ?? {});
    if (options.signal?.aborted) return WebSocketChannel.connect(url, options);
    const socket = new WsWebSocket(checked.href, [...protocols], {
      headers: Object.fromEntries(headers),
    });
    return WebSocketChannel.from(socket as unknown as WebSocketLike, { ...options, protocols });
  },
  startRecipe: startServerRecipe,
  test: allBut([
    [
      "after bytes that are no frame ws waits for the end of TCP, and reports no error before",
      "C30 C31",
    ],
    ...(platform() === "bun"
      ? [
        [
          "Bun replaces ws by its own, over its native WebSocket, which counts queued messages as sent",
          "G15",
        ] as const,
      ]
      : []),
  ]),
});

function wsTraits(): Partial<Traits> {
  return {
    allCloseCodes: true,
    headers: true,
    checksAccept: true,
    tellsStatus: false,
    seesCloseBeforeTcpEnds: false,
    keepsByteOrderMark: true,
  };
}
