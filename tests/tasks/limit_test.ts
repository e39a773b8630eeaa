/** The time limit of CI's steps. */
// Deno only: it starts processes

import { assertEquals, assertMatch } from "@std/assert";

const LIMIT = new URL("../../.ci/limit.mjs", import.meta.url);

const onLinux = { ignore: Deno.build.os !== "linux" };

async function limited(body: (args: string[], log: string) => Promise<void>): Promise<void> {
  const log = await Deno.makeTempFile();
  try {
    await body([LIMIT.pathname, "1", log, "node", "-e"], log);
  } finally {
    await Deno.remove(log);
  }
}

Deno.test("limit: keeps the command's output and exit code", onLinux, async () => {
  await limited(async (args, log) => {
    const script = "console.log('said'); process.exit(3)";
    const command = new Deno.Command("node", { args: [...args, script] });
    const { code, stdout } = await command.output();
    assertEquals(code, 3);
    assertEquals(new TextDecoder().decode(stdout), "said\n");
    assertEquals(await Deno.readTextFile(log), "said\n");
  });
});

Deno.test(
  "limit: every process that still runs at the end is named and killed",
  onLinux,
  async () => {
    const hangs = "setInterval(() => {}, 1000) // hangs";
    const script = `
    const { spawn } = require("node:child_process");
    process.on("SIGTERM", () => {});
    const child = spawn("node", ["-e", "${hangs}"], { detached: true });
    child.on("spawn", () => console.log("child", child.pid));
    setInterval(() => {}, 1000);
  `;
    await limited(async (args) => {
      const command = new Deno.Command("node", { args: [...args, script], stdout: "piped" });
      const child = command.spawn();
      let said = "";
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
        if (said === "") child.kill("SIGTERM");
        said += text;
      }
      assertEquals((await child.status).code, 124);
      assertMatch(said, /##### stopped by SIGTERM: node -e/);
      const pid = /^child (\d+)$/m.exec(said)?.[1];
      assertMatch(said, new RegExp(`^  ${pid}: node -e .*hangs$`, "m"));
      const state = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "over");
      assertMatch(state, /^over$|^\d+ \(node\S*\) [ZX] /);
    });
  },
);
