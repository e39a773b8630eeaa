/** Channels over HTTP/2: through a gateway to HTTP/1.1 servers, and with our own server. */

import process from "node:process";
import { Http2, type Http2ConnectOptions, Http2Pool } from "../../src/http2/mod.ts";
import type { BindOptions } from "../../src/server/mod.ts";
import type { ConnectOptions } from "../../src/net/mod.ts";
import type { WebSocketChannel } from "../../mod.ts";
import { at, startBehindGateway } from "../http2/gateway.ts";
import { certificates } from "../net/support.ts";
import { startBoundRecipe } from "../server/platform_recipes.ts";
import { serverRecipes } from "../server/server_recipes.ts";
import { allBut, type LeftOut } from "./left_out.ts";
import { OWN_TRAITS, testWebSocketChannel } from "./mod.ts";

/** The traits over HTTP/2, which has no `Sec-WebSocket-Accept`. */
const traits = { ...OWN_TRAITS, checksAccept: false };

const LEFT_OUT: LeftOut = [
  ["over HTTP/2 the status 200 accepts the connection", "C21 an answer of 200"],
  [
    "it is about WebSocketChannel.open; http2_test.ts is about Http2.open",
    "open waits for the connection",
  ],
];

function connect(url: string, given: ConnectOptions | undefined): WebSocketChannel {
  const options: Http2ConnectOptions = { ...given, pool: new Http2Pool({ idleTimeout: 0 }) };
  if (url.startsWith("wss:")) options.tls = { ca: certificates().authority.cert };
  return Http2.connect(url, options);
}

// Each night this suite also runs the recipes behind a gateway, because our own server can't play all of them.
if (process.env["HTTP2"] === "all") {
  testWebSocketChannel("http2", {
    traits,
    connect,
    startRecipe: startBehindGateway,
    test: allBut(LEFT_OUT),
  });
}

testWebSocketChannel("our server, http2", {
  traits,
  connect,
  startRecipe: async (name, options) => {
    if (serverRecipes[name] === undefined) return await startBehindGateway(name, options);
    const { cert, key } = certificates().local;
    const more: BindOptions = { tls: { cert, key }, http2: true };
    const server = await startBoundRecipe(name, options, more);
    return at(server, server.url.replace("ws:", "wss:"));
  },
  test: allBut(LEFT_OUT),
});
