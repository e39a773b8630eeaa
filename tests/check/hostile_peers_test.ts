/** Peers that hang, flood and close in every case, and arguments of the wrong type. */

import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import { connect, createServer, type Socket } from "node:net";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { checkClient, checkServer, listCases, type Report } from "../../src/check/mod.ts";
import { closeServer, listen } from "../support/loopback.ts";

/** One case of each family. */
function families(side: "server" | "client"): string[] {
  const byFamily = new Map(listCases(side).map(({ id }) => [id.replace(/\/.*/, ""), id]));
  return [...byFamily.values()];
}

const HEAD = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const MIB = 1 << 20;

/** Writes the same bytes for as long as the other side takes them. */
function pour(socket: Socket, bytes: Uint8Array): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(bytes));
    if (!socket.destroyed) socket.once("drain", more);
  };
  more();
}

/** The header of an unmasked frame with a payload of this many bytes. */
function header(first: number, length: number): Buffer {
  const bytes = Buffer.alloc(10);
  bytes[0] = first;
  bytes[1] = 127;
  bytes.writeBigUInt64BE(BigInt(length), 2);
  return bytes;
}

/** What a hostile peer does on an open connection, or in place of an answer if the name contains "answer". */
const HOSTILE: Readonly<Record<string, (socket: Socket) => void>> = {
  "hangs": () => {},
  "sends Pings without end": (it) => pour(it, Buffer.alloc(MIB, Buffer.from([0x89, 0]))),
  "sends Pongs without end": (it) => pour(it, Buffer.alloc(MIB, Buffer.from([0x8a, 0]))),
  "sends fragments without end": (it) => {
    it.write(Buffer.from([0x02, 0]));
    pour(it, Buffer.concat([header(0x00, MIB), Buffer.alloc(MIB)]));
  },
  "sends 1 GiB in a frame": (it) => {
    it.write(header(0x82, 1 << 30));
    pour(it, Buffer.alloc(MIB));
  },
  "sends messages without end": (it) => pour(it, Buffer.alloc(MIB, Buffer.from([0x82, 1, 0x61]))),
  "sends a message byte by byte": (it) => {
    it.setNoDelay(true);
    it.write(header(0x82, 16 * MIB));
    const more = (): void => {
      if (it.destroyed) return;
      if (it.writableLength < 64) it.write(Buffer.alloc(1));
      setImmediate(more);
    };
    more();
  },
  "closes": (it) => void it.end(),
  "resets": (it) => void it.resetAndDestroy(),
  "never ends an answer": (it) => pour(it, Buffer.alloc(MIB, "x")),
  "sends half an answer": (it) => void it.write(HEAD.slice(0, 30)),
  "doesn't answer": () => {},
};

/** Checks a server that answers the first request and is hostile afterwards. */
async function hostileServer(does: string): Promise<{ report: Report; sent: number }> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    const isFirst = sockets.length === 1;
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.once("data", () => {
      if (isFirst || !does.includes("answer")) socket.write(HEAD);
      if (!isFirst) HOSTILE[does]?.(socket);
    });
  });
  const port = await listen(server);
  try {
    const options = { cases: families("server"), timeout: 20 };
    const report = await checkServer(`ws://127.0.0.1:${port}`, options);
    return { report, sent: Math.max(...sockets.map((it) => it.bytesWritten)) };
  } finally {
    for (const socket of sockets) socket.destroy();
    await closeServer(server);
  }
}

for (const does of Object.keys(HOSTILE)) {
  Deno.test(`checkServer: W56 a server that ${does} ends each case in bounded time and memory`, async () => {
    const { report, sent } = await hostileServer(does);
    assertEquals(report.isComplete, true);
    assert(report.counts.failed > 0, JSON.stringify(report.counts));
    // The largest message is 32 MiB; the rest is in the system's buffers.
    assert(sent < 64 * MIB, `${sent} bytes were taken`);
  });
}

Deno.test("checkServer: W56 a message of 131,073 fragments of one byte fails the case", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write(HEAD);
      socket.write(Buffer.from([0x02, 0]));
      pour(socket, Buffer.alloc(3 << 14, Buffer.from([0x00, 1, 0x61])));
    });
  });
  const port = await listen(server);
  try {
    const options = { cases: ["ping/empty"], timeout: 60_000 };
    const { results: [result] } = await checkServer(`ws://127.0.0.1:${port}`, options);
    assertEquals(result?.note, "its message has more than 32 MiB or 131072 fragments");
  } finally {
    await closeServer(server);
  }
});

Deno.test("checkServer: W56 the report stays small when a server sends large answers", async () => {
  const fields = `X-Long: ${"x".repeat(20_000)}\r\n` + "a:\r\n".repeat(5000);
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(`HTTP/1.1 999 ${"y".repeat(20_000)}\r\n${fields}\r\n`));
  });
  const port = await listen(server);
  try {
    const { results } = await checkServer(`ws://127.0.0.1:${port}`, { cases: families("server") });
    const sizes = results.map((it) => JSON.stringify(it).length);
    assert(Math.max(...sizes) < 10_000, `${sizes}`);
    assert(results.some(({ transcript }) => transcript.includes("< … 5001 fields in all")));
  } finally {
    await closeServer(server);
  }
});

Deno.test("checkClient: W56 a client that hangs, floods or closes ends each case in bounded time", async () => {
  const sockets: Socket[] = [];
  const acts: readonly ((socket: Socket, path: string) => void)[] = [
    () => {},
    (it) => pour(it, Buffer.alloc(MIB, "x")),
    (it, path) => {
      it.write(`GET ${path} HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n`);
      pour(it, Buffer.alloc(MIB, Buffer.from([0x89, 0x80, 0, 0, 0, 0])));
    },
    (it) => void it.end(),
  ];
  let calls = 0;
  const report = await checkClient({
    cases: families("client"),
    timeout: 20,
    connect(url) {
      const { port, pathname } = new URL(url);
      const socket = connect({ host: "127.0.0.1", port: Number(port), allowHalfOpen: true });
      sockets.push(socket);
      socket.on("error", () => {});
      const act = acts[calls++ % acts.length];
      socket.on("connect", () => act?.(socket, pathname));
    },
  });
  assertEquals(report.isComplete, true);
  assert(report.counts.failed > 0);
  assertEquals(sockets.filter((it) => it.bytesWritten > 64 * MIB).length, 0);
  for (const socket of sockets) socket.destroy();
});

const NONSENSE: readonly unknown[] = [1, "x", null, true, Symbol("x"), () => {}];

Deno.test("check: W57 arguments and options of the wrong type are errors, and the check opens no connection", async () => {
  const url = "ws://127.0.0.1:1";
  const wrong = async (call: () => Promise<unknown>, what: string): Promise<void> => {
    const error = await assertRejects(call, Error) as Error;
    assert(["TypeError", "RangeError", "SyntaxError"].includes(error.name), `${what}: ${error}`);
    assert(/^Cannot/.test(error.message), `${what}: ${error.message}`);
  };
  for (const it of [...NONSENSE, undefined, {}]) {
    await wrong(() => checkServer(it as never), `checkServer(${String(it)})`);
  }
  for (const it of NONSENSE) {
    await wrong(() => checkServer(url, it as never), `options ${String(it)}`);
    await wrong(() => checkClient(it as never), `options ${String(it)}`);
    for (
      const name of ["cases", "signal", "tls", "headers", "onResult", "concurrency", "timeout"]
    ) {
      const isRight = typeof it === "function" && name === "onResult" ||
        it === 1 && /^(concurrency|timeout)$/.test(name);
      if (isRight) continue;
      await wrong(() => checkServer(url, { [name]: it } as never), `${name}: ${String(it)}`);
      if (name === "headers") continue;
      await wrong(() => checkClient({ [name]: it } as never), `${name}: ${String(it)}`);
    }
  }
  for (const cases of [["nonsense"], [""], [1], [null], [Symbol("x")]]) {
    await wrong(() => checkServer(url, { cases } as never), "cases");
    await wrong(() => checkClient({ cases } as never), "cases");
  }
  const headers: readonly object[] = [
    ...[{ "a b": "x" }, { "": "x" }, { a: "x\r\nb: y" }, { a: 1 }, { a: null }, { a: ["x"] }],
    ...[[["a"]], [["a", "b", "c"]], ["ab"], new Map([["a", 1]]), new Set(["a"])],
    ...[{ Host: "x" }, { upgrade: "x" }, { "Sec-WebSocket-Key": "x" }],
  ];
  for (const it of headers) {
    await wrong(() => checkServer(url, { headers: it } as never), "headers");
  }
  for (const timeout of [0, -1, NaN, Infinity, 2 ** 31]) {
    await wrong(() => checkServer(url, { timeout }), `timeout ${timeout}`);
  }
  await wrong(() => checkServer(url, { concurrency: 1.5 }), "concurrency");
  await wrong(() => checkClient({ port: 65_536 }), "port");
});

Deno.test("check: W57 an aborted signal, an empty list of cases, and values that are not arrays", async () => {
  const connect = (): void => {};
  const aborted = await checkClient({ connect, signal: AbortSignal.abort(), timeout: 1 });
  assertEquals([aborted.isComplete, aborted.results.length], [false, 0]);
  const empty = await checkClient({ connect, cases: [] });
  assertEquals([empty.isComplete, empty.results.length], [true, 0]);
  const cases = new Set(["ping/empty"]) as never;
  const some = await checkClient({ connect, cases, timeout: 1 });
  assertEquals(some.results.map(({ id }) => id), ["ping/empty"]);
});

Deno.test("check: W57 an error of the caller's functions ends the run and is its error", async () => {
  const thrown = (): never => {
    throw new Error("mine");
  };
  const rejected = (): Promise<never> => Promise.reject(new Error("mine"));
  const options = { cases: ["ping"], connect: (): void => {}, timeout: 5 };
  for (const mine of [thrown, rejected]) {
    await assertRejects(() => checkClient({ ...options, onResult: mine }), Error, "mine");
    await assertRejects(() => checkClient({ ...options, onListen: mine }), Error, "mine");
    // Many connections must fail: the check then ignores the outcome of `connect`.
    const { counts } = await checkClient({ ...options, cases: ["ping/empty"], connect: mine });
    assertEquals(counts.failed, 1);
  }
});
