/** Attacks on the user's own decision functions: a promise, a truthy value or an error admits no client. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async";
import type { CompressionOptions, ServerOptions, ServerRequest } from "../../src/server/mod.ts";
import { type Entry, testEntries } from "../server/entries.ts";
import { requestText } from "../server/support.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { deferred } from "../support/promises.ts";
import { printedBy } from "../support/printed.ts";

/** A call of the error hook: the place, and the error. */
type Report = [where: string, error: unknown];

/** The head of the answer to one request, which may be from a page. */
async function answerTo(
  entry: Entry,
  options: ServerOptions,
  changes: Record<string, string> = {},
): Promise<{ status: number; head: string; reports: Report[] }> {
  const reports: Report[] = [];
  let head = "";
  const onError: ServerOptions["onError"] = (error, { where, request }) => {
    reports.push([where, error]);
    assertEquals(request?.url.pathname, "/room");
  };
  await entry.run({ ...options, onError }, async ({ url }) => {
    const client = new RawClient(url);
    client.socket.write(requestText(changes, "GET /room HTTP/1.1"));
    head = await client.response();
    await client.destroy();
  });
  return { status: Number(head.split(" ")[1]), head, reports };
}

const OFFERS = {
  Origin: "http://localhost",
  "Sec-WebSocket-Protocol": "v1, v2",
  "Sec-WebSocket-Extensions": "permessage-deflate",
};

/** Whether the entry throws an `UnsupportedError`: Deno's own socket can't compress, and Bun decides once for all clients. */
function decidesCompression({ isOwn }: Entry): boolean {
  return isOwn;
}

/** The options that may be a function, in the order in which the server calls them. */
function decisionsOf(entry: Entry): (keyof ServerOptions)[] {
  const everywhere = ["hosts", "origin", "verify", "protocols", "headers"] as const;
  return decidesCompression(entry) ? [...everywhere, "compression"] : [...everywhere];
}

/** Values that a function may return by mistake: none of them is `true`. */
const MISTAKES: readonly unknown[] = [1, "yes", {}, [], null, undefined, 0, "", () => true];

testEntries("attack 49: origin and hosts admit a client only by returning true", async (entry) => {
  for (const name of ["origin", "hosts"] as const) {
    for (const value of [false, ...MISTAKES]) {
      for (const answer of [value, Promise.resolve(value)]) {
        const options = { [name]: () => answer } as ServerOptions;
        const { status, reports } = await answerTo(entry, options, OFFERS);
        const expected = value === false ? [403, []] : [500, [name]];
        const at = `${name}: ${String(value)}`;
        assertEquals([status, reports.map(([where]) => where)], expected, at);
        for (const [, error] of reports) {
          const text =
            `TypeError: Cannot use the answer of ${name}: it must be true or false, got `;
          assertStringIncludes(String(error), text);
        }
      }
    }
    for (const answer of [true, Promise.resolve(true)]) {
      const { status } = await answerTo(entry, { [name]: () => answer }, OFFERS);
      assertEquals(status, 101, name);
    }
  }
});

testEntries("attack 49: verify admits a client only by returning true", async (entry) => {
  for (const value of [false, ...MISTAKES]) {
    for (const answer of [value, Promise.resolve(value)]) {
      const options = { verify: () => answer } as ServerOptions;
      const { status, reports } = await answerTo(entry, options);
      // A value that is neither a boolean nor a refusal is the function's fault: it may have forgotten to return.
      const expected = value === false ? [403, []] : [500, ["verify"]];
      assertEquals([status, reports.map(([where]) => where)], expected, String(value));
      for (const [, error] of reports) {
        assertStringIncludes(String(error), "Error: Cannot use the answer of verify: it");
      }
    }
  }
});

testEntries(
  "attack 49: a decision function that fails causes a 500 and one call of onError",
  async (entry) => {
    const cause = new Error("a fault of the user's");
    const failures: (() => never | Promise<never>)[] = [
      () => {
        throw cause;
      },
      () => Promise.reject(cause),
      () => ({ then: (_: unknown, reject: (error: unknown) => void) => reject(cause) }) as never,
      () =>
        ({
          get then(): never {
            throw cause;
          },
        }) as never,
    ];
    for (const where of decisionsOf(entry)) {
      for (const fail of failures) {
        const options = { [where]: fail } as ServerOptions;
        await assertNoUncaught(async () => {
          const { status, reports } = await answerTo(entry, options, OFFERS);
          assertEquals([status, reports], [500, [[where, cause]]], where);
        });
      }
    }
  },
);

testEntries("attack 49: the server awaits promises of protocols and headers", async (entry) => {
  const { status, head } = await answerTo(entry, {
    protocols: (request) => Promise.resolve(request.protocols.at(-1) ?? null),
    headers: async ({ url }) => ({ "X-Path": await Promise.resolve(url.pathname) }),
  }, OFFERS);
  assertEquals(status, 101);
  assertStringIncludes(head.toLowerCase(), "sec-websocket-protocol: v2");
  assertStringIncludes(head.toLowerCase(), "x-path: /room");
});

testEntries("attack 49: an invalid result of protocols or headers causes a 500", async (entry) => {
  const mistakes: [where: string, value: unknown][] = [
    ...[1, "unoffered", "v1\r\nX: y", undefined, true, {}].map((
      it,
    ): [string, unknown] => ["protocols", it]),
    ...[
      ...[1, "a: b", true, null, { a: {} }, { a: undefined }, [["a"]], [["a", "b", "c"]]],
      ...[{ a: Promise.resolve("b") }, { a: "b\r\nc: d" }, { Upgrade: "h2c" }],
    ].map((it): [string, unknown] => ["headers", it]),
  ];
  for (const [where, value] of mistakes) {
    for (const answer of [value, Promise.resolve(value)]) {
      const options = { [where]: () => answer } as ServerOptions;
      const { status, reports } = await answerTo(entry, options, OFFERS);
      const seen = [status, ...reports.map(([it, error]) => [it, error instanceof Error])];
      assertEquals(seen, [500, [where, true]], `${where}: ${JSON.stringify(value)}`);
    }
  }
});

testEntries(
  "attack 49: the server agrees to compression as the function decides",
  async (entry) => {
    if (!decidesCompression(entry)) return;
    const answers: [answer: boolean | CompressionOptions, agreed: RegExp | null][] = [
      [false, null],
      [true, /^permessage-deflate/],
      [{ serverNoContextTakeover: true }, /server_no_context_takeover/],
    ];
    for (const [answer, agreed] of answers) {
      for (const given of [answer, Promise.resolve(answer)]) {
        const paths: string[] = [];
        const compression: ServerOptions["compression"] = ({ url }) => {
          paths.push(url.pathname);
          return given;
        };
        const { status, head } = await answerTo(entry, { compression }, OFFERS);
        const [, extensions = null] = /^sec-websocket-extensions: (.*?)\r?$/im.exec(head) ?? [];
        assertEquals([status, paths], [101, ["/room"]]);
        if (agreed === null) assertEquals(extensions, null);
        else assertMatch(extensions ?? "none", agreed);
      }
    }
  },
);

testEntries("attack 49: the server compresses messages as the function decided", async (entry) => {
  if (!decidesCompression(entry)) return;
  const compression: ServerOptions["compression"] = ({ url }) =>
    Promise.resolve({ threshold: url.pathname === "/room" ? 0 : 1000 });
  await entry.run({ compression }, async ({ url }) => {
    for (const [path, first] of [["/room", "c1"], ["/other", "81"]]) {
      const client = new RawClient(url);
      client.socket.write(requestText(OFFERS, `GET ${path} HTTP/1.1`));
      assertStringIncludes(await client.response(), "permessage-deflate");
      client.send(1, "a".repeat(100));
      assertEquals(await client.hex(1), first, path);
      await client.destroy();
    }
  });
});

testEntries("attack 49: an invalid result of compression causes a 500", async (entry) => {
  if (!decidesCompression(entry)) return;
  const mistakes: readonly unknown[] = [
    ...[1, "yes", undefined, null, [], new Map(), () => true],
    ...[{ level: 10 }, { treshold: 1 }, { threshold: "1" }],
  ];
  for (const value of mistakes) {
    for (const answer of [value, Promise.resolve(value)]) {
      const options = { compression: () => answer } as ServerOptions;
      const { status, reports } = await answerTo(entry, options, OFFERS);
      assertEquals([status, reports.map(([where]) => where)], [500, ["compression"]]);
      assertStringIncludes(String(reports[0]?.[1]), "Error: Cannot use the option compression");
    }
  }
});

testEntries(
  "attack 49: a decision that times out causes a 503 and one call of onError",
  async (entry) => {
    for (const where of decisionsOf(entry)) {
      const options = { [where]: () => new Promise(() => {}), handshakeTimeout: 20 };
      const { status, reports } = await answerTo(entry, options as ServerOptions, OFFERS);
      assertEquals([status, reports.map(([where]) => where)], [503, ["handshakeTimeout"]], where);
      assertEquals(
        String(reports[0]?.[1]),
        "TimeoutError: Cannot answer the request: the functions of the options took longer than " +
          "handshakeTimeout, 20 ms",
      );
    }
  },
);

testEntries(
  "attack 49: decision functions that return promises are called one after the other",
  async (entry) => {
    const asked: string[] = [];
    const note = <Value>(name: string, value: Value) => async (): Promise<Value> => {
      asked.push(name);
      await Promise.resolve();
      return value;
    };
    const options: ServerOptions = {
      hosts: note("hosts", true),
      origin: note("origin", true),
      verify: note("verify", true),
      protocols: note("protocols", "v1"),
      headers: note("headers", {}),
    };
    const decisions = decisionsOf(entry);
    if (decidesCompression(entry)) options.compression = note("compression", true);
    assertEquals((await answerTo(entry, options, OFFERS)).status, 101);
    assertEquals(asked.splice(0), decisions);
    assertEquals(
      (await answerTo(entry, { ...options, origin: note("origin", false) }, OFFERS)).status,
      403,
    );
    assertEquals(asked.splice(0), ["hosts", "origin"]);
    assertEquals(
      (await answerTo(entry, { ...options, hosts: note("hosts", false) }, OFFERS)).status,
      403,
    );
    assertEquals(asked, ["hosts"]);
  },
);

testEntries(
  "attack 49: a promise that rejects after the client has left has no effect",
  async (entry) => {
    for (const where of decisionsOf(entry)) {
      const cause = new Error("too late");
      const called = deferred();
      const left = deferred();
      const reported = deferred();
      const reports: Report[] = [];
      let signal: AbortSignal | undefined;
      // Each gets the request; `origin` gets the origin that it decides about.
      const late = async (...args: unknown[]): Promise<never> => {
        const request = args.find((it) => typeof it === "object") as ServerRequest | undefined;
        signal = request?.signal;
        called.resolve();
        await left.promise;
        throw cause;
      };
      const options: ServerOptions = {
        [where]: late,
        onError: (error, { where }) => {
          reports.push([where, error]);
          reported.resolve();
        },
      };
      await assertNoUncaught(() =>
        entry.run(options, async ({ url, channels }) => {
          const client = new RawClient(url);
          client.socket.write(requestText(OFFERS));
          await called.promise;
          const aborted = signal === undefined
            ? undefined
            : new Promise((resolve) => signal?.addEventListener("abort", resolve));
          await client.destroy();
          await aborted;
          left.resolve();
          await reported.promise;
          assertEquals([reports, channels.length], [[[where, cause]], 0], where);
        })
      );
    }
  },
);

testEntries("attack 49: a failure because the client has left isn't reported", async (entry) => {
  const called = deferred();
  const decided = deferred();
  const reports: unknown[] = [];
  const options: ServerOptions = {
    verify: async ({ signal }) => {
      called.resolve();
      try {
        // Like `fetch` with this signal.
        return await new Promise<never>((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason))
        );
      } finally {
        decided.resolve();
      }
    },
    onError: (error) => reports.push(error),
  };
  await entry.run(options, async ({ url }) => {
    const client = new RawClient(url);
    client.socket.write(requestText());
    await called.promise;
    await client.destroy();
    await decided.promise;
    await delay(0);
    assertEquals(reports, []);
  });
});

testEntries("attack 49: an error hook that throws or rejects changes no answer", async (entry) => {
  const printed = await printedBy(async () => {
    for (
      const onError of [() => {
        throw new Error("the hook's fault");
      }, () => Promise.reject(new Error("the hook's fault"))]
    ) {
      await assertNoUncaught(() =>
        entry.run({ verify: () => Promise.reject(new Error("x")), onError }, async ({ url }) => {
          const client = new RawClient(url);
          client.socket.write(requestText());
          assertStringIncludes(await client.response(), " 500 ");
          await client.destroy();
        })
      );
    }
  });
  assertEquals(printed.length, 2);
  for (const values of printed) {
    assertStringIncludes(values.map(String).join(" "), "the hook's fault");
  }
});

testEntries("attack 49: the server prints the error if there is no error hook", async (entry) => {
  const cause = new Error("a fault of the user's");
  const printed = await printedBy(() =>
    entry.run({ verify: () => Promise.reject(cause) }, async ({ url }) => {
      const client = new RawClient(url);
      client.socket.write(requestText());
      assertStringIncludes(await client.response(), " 500 ");
      await client.destroy();
    })
  );
  assertEquals(printed.map((values) => values.at(-1)), [cause]);
  assertStringIncludes(String(printed[0]?.[0]), "verify");
});
