import { assertEquals, assertRejects } from "@std/assert";
import { checkClient, checkServer } from "../../src/check/mod.ts";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import { createIdentity } from "../support/certificates.ts";
import { others } from "./support.ts";

const identity = createIdentity({ names: ["127.0.0.1", "localhost"] });
const { cert: ca } = identity;
/** The cases of each family that TLS could affect. */
const cases = [
  "ping/payload",
  "pieces/many",
  "end",
  "close/then",
  "close/unanswered",
  "many/unread",
];

Deno.test("checkServer: W55 checks a server through TLS, with the options of node:tls", async () => {
  const server = await WebSocketServer.bind({
    tls: identity,
    handler: (channel) => {
      channel.stream.listen((message) => void channel.sink.add(message));
    },
  });
  try {
    const report = await checkServer(server.url, {
      cases: [...cases, "handshake/reset", "handshake/in-pieces", "handshake/tls"],
      tls: { ca },
      timeout: 60_000,
    });
    assertEquals(others(report), []);
    assertEquals([new URL(server.url).protocol, report.isComplete], ["wss:", true]);
    const untrusted = (): Promise<unknown> => checkServer(server.url, { cases: ["ping/empty"] });
    await assertRejects(untrusted, Error, "nothing there answers a request, ");
  } finally {
    await server.close({ drainTimeout: 0 });
  }
});

Deno.test("checkClient: W55 checks a client through TLS, with the caller's key and certificate", async () => {
  const schemes = new Set<string>();
  const report = await checkClient({
    cases: [...cases, "answer/reset", "answer/in-pieces", "answer/frame"],
    tls: identity,
    timeout: 60_000,
    connect: async (url, { protocols }) => {
      schemes.add(new URL(url).protocol);
      const options = { protocols: [...protocols], tls: { ca }, maxMessageSize: 64 << 20 };
      const channel = NetWebSocketChannel.connect(url, options);
      for await (const message of channel.stream) channel.sink.add(message);
    },
  });
  assertEquals(others(report), []);
  assertEquals([[...schemes], report.isComplete], [["wss:"], true]);
});

Deno.test("checkClient: W55 a client that doesn't trust the certificate fails the case, not the run", async () => {
  const report = await checkClient({
    cases: ["ping/empty"],
    tls: identity,
    timeout: 500,
    connect: (url) => NetWebSocketChannel.connect(url).ready,
  });
  assertEquals(report.results.map(({ note }) => note), ["it doesn't connect"]);
});
