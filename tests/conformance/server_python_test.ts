/**
 * Our own server with another project's client: Python's websockets, in a process of
 * its own. Tests whose server misbehaves say nothing about our server: they, and tests that Python's client can't
 * run, are left out, each with its reason.
 */

import { WebSocketChannel } from "../../mod.ts";
import { parseConnect } from "../../src/web_socket/connect_request.ts";
import { readConnectOptions } from "../../src/web_socket/read_options.ts";
import { startBoundRecipe } from "../server/platform_recipes.ts";
import { python, PythonClients } from "../server/python_client.ts";
import { serverRecipes } from "../server/server_recipes.ts";
import { checkedAllBut, type LeftOut } from "./left_out.ts";
import { testWebSocketChannel } from "./mod.ts";
import { leftOut } from "../support/needs.ts";

const LEFT_OUT: LeftOut = [
  [
    "Python's client always sends a close code",
    ": C6 ",
    "await using",
    "closing the writable",
    "G12 ",
  ],
  [
    "no server answers, so the test is not about a server",
    ": G1 connection refused",
    ": G2 connection refused",
    "G4 close after a failed",
    "G4 S118",
    "G3 closing while the server is silent",
    "G30 a server that never answers",
    "G31 a signal that aborts while connecting",
    "an error in the sink while connecting",
    "C62 ",
  ],
  [
    "its server misbehaves, which our server never does",
    ": G2 G30 whatever fails",
    "attack 27",
    "C35 G29",
    ": G29 ",
    "G9 messages between",
    "G6 ",
    "G7 ",
    "C20 ",
    "C18 ",
    "C30 C31",
    "the peer sends a Close and leaves TCP open",
    "G15 outbound",
    "G15 the peer leaves",
  ],
  ["its server answers as no WebSocket server does", "an answer of "],
  [
    "its server sends hand-written frames",
    "a Ping between fragments",
    "the peer closes without a code",
    "G16 ",
  ],
];

const NAME = "WebSocketServer, Python's websockets";

let clients: PythonClients | undefined;

const { test, check } = checkedAllBut(LEFT_OUT, (name, body) => {
  Deno.test({
    name: name + leftOut("Python's websockets", python !== null),
    ignore: python === null,
    async fn() {
      try {
        await body();
      } finally {
        await clients?.close();
        clients = undefined;
      }
    },
  });
});

testWebSocketChannel(NAME, {
  traits: {
    ownProtocol: false,
    allCloseCodes: true,
    headers: true,
    checksAccept: true,
    tellsStatus: false,
    seesCloseBeforeTcpEnds: true,
    keepsByteOrderMark: true,
  },
  connect(url, given) {
    const { headers: _, followRedirects: _redirects, ...options } = readConnectOptions(given);
    const { url: checked, protocols, headers } = parseConnect(url, given ?? {});
    if (options.signal?.aborted) return WebSocketChannel.connect(url, options);
    clients ??= new PythonClients();
    const socket = clients.connect({ url: checked.href, protocols, headers, compression: false });
    return WebSocketChannel.from(socket, { ...options, protocols });
  },
  startRecipe(name, options) {
    if (name in serverRecipes) return startBoundRecipe(name, options);
    throw new Error(`This is no test of our server: it needs the recipe ${name}`);
  },
  test,
});

check(NAME);
