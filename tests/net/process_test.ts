// Deno only: it starts programs with permissions of their own

/** What a net channel means for its process: permissions, and how long it lives. */

import { assertEquals } from "@std/assert";
import { deno, type Finished } from "../support/command.ts";
import { withRecipe } from "../support/recipes.ts";

/** Runs a program that has `connect`, with these permissions. */
async function run(body: string, permissions: string[]): Promise<Finished> {
  const file = await Deno.makeTempFile({ suffix: ".mjs" });
  const module = new URL("../../src/net/mod.ts", import.meta.url).href;
  await Deno.writeTextFile(
    file,
    `import { NetWebSocketChannel } from ${JSON.stringify(module)};\n${body}`,
  );
  try {
    return await deno(["run", "--no-prompt", "--no-check", ...permissions, file]);
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("net: what Deno's permissions forbid arrives through ready and the stream", async () => {
  for (const host of ["127.0.0.1", "localhost"]) {
    const { stdout, stderr } = await run(
      `
      const channel = NetWebSocketChannel.connect("ws://${host}:1");
      const error = await channel.ready.catch((it) => it);
      const same = await channel.stream.next().catch((it) => it) === error;
      console.log(error.name, error.message, error.retryable, same, (await channel.closed).error === error);
      `,
      [],
    );
    assertEquals([stdout, stderr], [
      `ConnectError Cannot connect to ws://${host}:1/: it is not permitted false true true\n`,
      "",
    ]);
  }
});

Deno.test("net: the permission for a host's name is enough", async () => {
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

Deno.test("attack 47 net: a channel that is unreferenced holds no process, another does", async () => {
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
        // Only this keeps it connecting.
        ${when === "connecting" ? "await channel.ready;" : ""}
        globalThis.addEventListener("unload", () => console.log("the end"));
        `,
        ["--allow-net"],
      );
      assertEquals([stdout, code], ["open\nthe end\n", 0], when);
    }
  });
});
