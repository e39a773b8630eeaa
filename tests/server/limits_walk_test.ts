/**
 * Limits that every entry point shares: however and whenever connections end, the count returns to zero. A random
 * walk over phases and endings; a failure has the seed, and `TEST_SEED` sets it.
 */

import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { createServer } from "node:http";
import {
  ConnectionLimits,
  type ServerOptions,
  type ServerRequest,
  WebSocketServer,
} from "../../src/server/mod.ts";
import { closeServer, listen } from "../support/loopback.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { turn, until } from "../support/turns.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { ENTRIES, type Entry } from "./entries.ts";
import { upgraded } from "./support.ts";

/** zone.js also reports handled rejections, such as those of the deciding functions. */
const withoutUncaught = "Zone" in globalThis
  ? (body: () => void | Promise<void>) => body()
  : assertNoUncaught;

/** The number of connections, and how many of them run at a time. */
const CONNECTIONS = 160;
const TOGETHER = 16;

/** The deciding functions, in order. The client's header fields say what each of them does. */
const DECIDERS = ["clientAddress", "hosts", "origin", "verify", "protocols", "headers"] as const;
/** The behaviour of a deciding function. */
const DEEDS = ["accept", "wait", "wait", "refuse", "throw", "reject", "never"] as const;
/** The client's action, and its time. */
const LEAVINGS = ["end", "destroy", "resetAndDestroy", "close", "stay"] as const;
const MOMENTS = ["at once", "after some turns", "behind the answer"] as const;
/** The handler's behaviour. */
const HANDLERS = ["read", "return", "throw", "reject", "close", "terminate"] as const;

type Deed = (typeof DEEDS)[number];

/** Makes a function of the options behave as the client's header field says. */
function does(deed: Deed | undefined, answer: unknown, refusal: unknown): unknown {
  switch (deed) {
    case "wait":
      return (async () => {
        for (let i = 0; i < 15; i++) await turn();
        return answer;
      })();
    case "refuse":
      return refusal;
    case "throw":
      throw new Error("as it was asked to");
    case "reject":
      return Promise.reject(new Error("as it was asked to"));
    case "never":
      return new Promise(() => {});
    default:
      return answer;
  }
}

/** `/verify/never/read`: `verify` never answers, and the handler would read. */
function planOf(path: string): { who: string; deed: Deed; handler: string } {
  const [, who = "", deed = "accept", handler = "read"] = path.split("/");
  return { who, deed: deed as Deed, handler };
}

function deedAt(request: ServerRequest, who: string): Deed | undefined {
  const plan = planOf(request.url.pathname);
  return plan.who === who ? plan.deed : undefined;
}

function optionsFor(limits: ConnectionLimits, isPlatform: boolean): ServerOptions {
  const options: Record<string, unknown> = {
    limits,
    handshakeTimeout: 100,
    closeTimeout: 100,
    onError: () => {},
    hosts: (_host: string, request: ServerRequest) => does(deedAt(request, "hosts"), true, false),
    origin: (origin: string) => does(new URL(origin).hostname.split(".")[0] as Deed, true, false),
    verify: (request: ServerRequest) => does(deedAt(request, "verify"), true, { status: 401 }),
    protocols: (request: ServerRequest) => does(deedAt(request, "protocols"), null, "other"),
    headers: (request: ServerRequest) => does(deedAt(request, "headers"), {}, { Upgrade: "x" }),
    handler: (channel: Parameters<NonNullable<ServerOptions["handler"]>>[0]) => {
      const { handler } = planOf(channel.request.url.pathname);
      if (handler === "read") channel.stream.listen(() => {});
      if (handler === "close") void channel.sink.close(4000);
      if (handler === "terminate") channel.terminate();
      if (handler === "throw") throw new Error("as it was asked to");
      return handler === "reject" ? Promise.reject(new Error("as it was asked to")) : undefined;
    },
  };
  if (!isPlatform) options["compression"] = () => Promise.resolve(true);
  return options as ServerOptions;
}

/** Waits for an expected result. If it never settles, the test fails with its name instead of waiting forever. */
async function inTime<T>(promise: Promise<T>, what: () => string): Promise<T> {
  return await deadline(promise, 30_000).catch((error: { name?: string }) => {
    throw error.name === "TimeoutError" ? new Error(`Waited without success: ${what()}`) : error;
  });
}

/** One client, from its connection to its end. */
async function visit(url: string, answersPages: boolean, random: Random): Promise<void> {
  const who = random.pick(DECIDERS);
  const deed = random.pick(DEEDS);
  const path = `/${who}/${deed}/${random.pick(HANDLERS)}`;
  const lines = [`Origin: http://${who === "origin" ? deed : "accept"}.test`];
  const [leaving, moment] = [random.pick(LEAVINGS), random.pick(MOMENTS)];
  const turns = random.integer(1, 20);
  const client = new RawClient(url);
  const plan = (): string =>
    `${path} ${lines} ${leaving} ${moment}, seed ${random.seed}: ${client.bytes}`;
  /** Waits for an answer. The connection may end first, but no client waits forever. */
  const answered = (answer: Promise<unknown>): Promise<unknown> =>
    inTime(answer.catch(() => {}), () => `an answer or an end of ${plan()}`);
  // Some requests follow another one, whose answer arrives first.
  if (answersPages && random.chance(0.2)) {
    client.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  client.request(path, lines);
  if (moment === "behind the answer") await answered(client.response());
  else if (moment === "after some turns") { for (let i = 0; i < turns; i++) await turn(); }
  if (leaving === "close") {
    client.send(8, Uint8Array.of(3, 232));
    await answered(client.end());
  } else if (leaving === "stay") {
    // Without this, a channel whose handler only reads would stay open.
    for (let i = 0; i < 50; i++) await turn();
  } else client.socket[leaving]();
  await inTime(client.destroy(), () => `the client's own end of ${plan()}`);
}

/** Runs a body while a server of each of these entry points is running. */
async function withAll(
  entries: readonly Entry[],
  limits: ConnectionLimits,
  body: (urls: readonly string[]) => Promise<void>,
  urls: readonly string[] = [],
): Promise<void> {
  const [entry, ...rest] = entries;
  if (entry === undefined) return await body(urls);
  await entry.run(
    optionsFor(limits, !entry.isOwn),
    ({ url }) => withAll(rest, limits, body, [...urls, url]),
  );
}

Deno.test({
  name: "limits that all entry points share: no connection counts after any ending in any phase",
  // On Deno: Deno may never complete an upgrade whose client has left, nor end it.
  sanitizeOps: false,
  async fn() {
    const random = seededRandom();
    const limits = new ConnectionLimits({
      maxConnections: 100,
      maxConnectionsPerAddress: 50,
      clientAddress: (request) =>
        does(deedAt(request, "clientAddress"), "192.0.2.1", null) as string | null,
    });
    const http = createServer((_request, response) => response.end("a page"));
    const attached = WebSocketServer.attach(http, optionsFor(limits, false));
    const port = await listen(http);
    const entries = ENTRIES.filter(({ missing }) => missing === null);
    let isEnded = false;
    try {
      await withoutUncaught(() =>
        withAll(entries, limits, async (urls) => {
          const all = [...urls, `ws://127.0.0.1:${port}`];
          let left = CONNECTIONS;
          const walk = async (): Promise<void> => {
            while (left-- > 0) {
              const url = random.pick(all);
              // The other entry points don't answer a second request.
              await visit(url, url === all[0] || url === all.at(-1), random);
            }
          };
          const stop = (error: unknown): never => {
            left = 0;
            throw error;
          };
          await Promise.all(Array.from({ length: TOGETHER }, () => walk().catch(stop)));
          await until(() => limits.connections === 0).catch(() => {});
          assertEquals(limits.connections, 0, `still counted, seed ${random.seed}`);
          // Each server therefore still admits clients.
          for (const url of all) {
            const lines = ["Origin: http://accept.test"];
            const entering = upgraded({ url }, lines, "/none/accept/read");
            const client = await inTime(entering, () => `a client let in, seed ${random.seed}`);
            assertEquals(limits.connections, 1, `seed ${random.seed}`);
            await client.destroy();
            await until(() => limits.connections === 0);
          }
        })
      );
    } finally {
      const ended = attached.close({ drainTimeout: 1000 }).then(() => closeServer(http));
      // An earlier failure takes precedence.
      isEnded = await deadline(ended, 30_000).then(() => true, () => false);
    }
    assert(isEnded, `the HTTP server has a connection left, seed ${random.seed}`);
    assertEquals(attached.stats().connections.connecting, 0);
  },
});
