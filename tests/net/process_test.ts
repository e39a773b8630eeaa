// Deno only: starts programs with their own permissions

/** A net channel and its process: permissions, and how long the process lives. */

import { assertEquals } from "@std/assert";
import { deno, type Finished } from "../support/command.ts";
import { startProxy } from "../support/net_peers.ts";
import { startRecipe, withRecipe } from "../support/recipes.ts";
import { withAll } from "./support.ts";

/** Runs a program that imports `connect`, with these permissions. */
async function run(
  body: string,
  permissions: string[],
  env: Record<string, string> = {},
): Promise<Finished> {
  const file = await Deno.makeTempFile({ suffix: ".mjs" });
  const module = new URL("../../src/net/mod.ts", import.meta.url).href;
  await Deno.writeTextFile(
    file,
    `import { NetWebSocketChannel } from ${JSON.stringify(module)};\n${body}`,
  );
  try {
    return await deno(["run", "--no-prompt", "--no-check", ...permissions, file], env);
  } finally {
    await Deno.remove(file);
  }
}

const forbidden: [name: string, url: string, options: string, allowed?: string][] = [
  ["an address", "ws://127.0.0.1:1", "{}"],
  ["a name", "ws://localhost:1", "{}"],
  ["a name, with TLS", "wss://localhost:1", "{}"],
  ["a proxy", "ws://a.test:1", `{ proxy: "http://localhost:2" }`, "a.test:1"],
  ["the environment", "ws://127.0.0.1:1", `{ proxy: "environment" }`, "127.0.0.1:1"],
  ["a Unix socket", "ws://127.0.0.1:1", `{ socketPath: "/none" }`, "127.0.0.1:1"],
  ["a local address", "ws://127.0.0.1:1", `{ localAddress: "127.0.0.1" }`, "127.0.0.1:1"],
  ["a local address, IPv6", "ws://[::1]:1", `{ localAddress: "::1" }`, "[::1]:1"],
  ["what lookup gives", "ws://a.test:1", "{ lookup: give('127.0.0.1') }", "a.test:1"],
  ["all addresses of lookup", "ws://a.test:1", "{ lookup: give('127.0.0.1', '::1') }", "a.test:1"],
];
for (const [name, url, options, allowed] of forbidden) {
  Deno.test(`net: ready and the stream report what Deno's permissions forbid: ${name}`, async () => {
    const { stdout, stderr } = await run(
      `
      const family = (it) => it.includes(":") ? 6 : 4;
      const give = (...all) => (_name, _options, callback) =>
        setTimeout(() => callback(null, all.map((it) => ({ address: it, family: family(it) }))), 0);
      const channel = NetWebSocketChannel.connect("${url}", ${options});
      const error = await channel.ready.catch((it) => it);
      const same = await channel.stream.next().catch((it) => it) === error;
      const { error: why } = await channel.closed;
      console.log(error.name, error.message, error.retryable, same, why === error);
      `,
      allowed === undefined ? [] : [`--allow-net=${allowed}`],
    );
    const about = options.includes("http:") ? "the proxy http://localhost:2: " : "";
    const fault = options.includes("::1'")
      ? "127.0.0.1: it is not permitted; ::1: it is not permitted"
      : "it is not permitted";
    assertEquals([stdout, stderr], [
      `ConnectError Cannot connect to ${url}/: ${about}${fault} false true true\n`,
      "",
    ]);
  });
}

Deno.test("net: the client tries the addresses that Deno's permissions allow", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    const { port } = new URL(url);
    for (const addresses of [["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"]]) {
      const { stdout, stderr } = await run(
        `
        const lookup = (_name, _options, callback) =>
          callback(null, ${JSON.stringify(addresses)}.map((address) => ({ address, family: 4 })));
        const channel = NetWebSocketChannel.connect("ws://a.test:${port}", { lookup });
        await channel.ready;
        await channel.sink.close();
        console.log("open");
        `,
        [`--allow-net=127.0.0.1:${port}`],
      );
      assertEquals([stdout, stderr], ["open\n", ""]);
    }
  });
});

Deno.test("net: the permission for a host name is enough", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    const { host } = new URL(url.replace("127.0.0.1", "localhost"));
    const { stdout, stderr } = await run(
      `
      const channel = NetWebSocketChannel.connect("ws://${host}");
      await channel.ready;
      await channel.sink.close();
      console.log("open");
      `,
      [`--allow-net=${host}`],
    );
    assertEquals([stdout, stderr], ["open\n", ""]);
  });
});

Deno.test("net: the client uses the environment's proxy if the program may read it, without a prompt", async () => {
  await withAll([await startRecipe("echo"), await startProxy()], async (echo, proxy) => {
    const program = `
      const channel = NetWebSocketChannel.connect("${echo.url}");
      await channel.ready;
      console.log(channel.connectionInfo.proxy);
      await channel.sink.close();
    `;
    const http_proxy = `http://127.0.0.1:${proxy.port}`;
    const cases = [
      ["null", []],
      ["null", ["--allow-env=HTTP_PROXY,no_proxy"]],
      [http_proxy, ["--allow-env=http_proxy"]],
    ] as const;
    for (const [used, permissions] of cases) {
      const { stdout, stderr } = await run(
        program,
        ["--allow-net=127.0.0.1", ...permissions],
        { http_proxy },
      );
      assertEquals([stdout, stderr], [`${used}\n`, ""]);
    }
  });
});

Deno.test("attack 47 net: an unreferenced channel doesn't keep the process alive, a referenced one does", async () => {
  await withRecipe("echo", {}, async (echo) => {
    for (const when of ["connecting", "open"]) {
      const unref = "channel.unref();";
      const { stdout, code } = await run(
        `
        const channel = NetWebSocketChannel.connect("${echo.url}", { pingInterval: 60_000 });
        ${when === "connecting" ? unref : ""}
        channel.ready.then(() => {
          ${when === "open" ? unref : ""}
          console.log("open");
        });
        if ("${when}" === "connecting") {
          // Only this keeps the channel connecting.
          const timer = setInterval(() => {}, 60_000);
          await channel.ready;
          clearInterval(timer);
        }
        globalThis.addEventListener("unload", () => console.log("the end"));
        `,
        ["--allow-net"],
      );
      assertEquals([stdout, code], ["open\nthe end\n", 0], when);
    }
  });
});

Deno.test("attack 47 net: an attempt that is unreferenced at once doesn't keep the process alive", async () => {
  await withRecipe("silent", {}, async ({ url }) => {
    for (const options of ["{ connectTimeout: 500 }", "{ connectTimeout: 0 }"]) {
      const { stdout, stderr, code } = await run(
        `
        const channel = NetWebSocketChannel.connect("${url}", ${options});
        channel.unref();
        channel.ready.catch(() => console.log("too late"));
        globalThis.addEventListener("unload", () => console.log("the end"));
        `,
        ["--allow-net"],
      );
      assertEquals([stdout, stderr, code], ["the end\n", "", 0]);
    }
  });
});
