/** Our servers behind nginx on the same machine: how they check a page's Host and Origin. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { writeFileSync } from "node:fs";
import type { ServerOptions } from "../../src/server/mod.ts";
import { nginx, nginxFolders, withProgram } from "../support/between.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { ENTRIES, type Entry } from "./entries.ts";
import { requestText } from "./support.ts";
import { missing } from "../support/needs.ts";

function config(folder: string, port: number, upstream: string, host: string): string {
  const { main, http } = nginxFolders(folder);
  return `
    ${main}
    http {
      ${http}
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://${upstream}; proxy_http_version 1.1;
          proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
          proxy_set_header Host ${host};
        }
      }
    }`;
}

/** The response through nginx to a page of an origin that names the host example.com. */
async function answers(
  entry: Entry,
  options: ServerOptions,
  { host, origins }: { host: string; origins: readonly string[] },
): Promise<string[]> {
  const got: string[] = [];
  await entry.run(options, (server) =>
    withProgram((folder, port) => {
      const { host: upstream } = new URL(server.url);
      writeFileSync(`${folder}/nginx.conf`, config(folder, port, upstream, host));
      return [...nginx ?? [], "-p", folder, "-c", `${folder}/nginx.conf`, "-e", "stderr"];
    }, async (port) => {
      for (const origin of origins) {
        const client = new RawClient(`ws://127.0.0.1:${port}`);
        client.socket.write(requestText({ Host: "example.com", Origin: origin }));
        const head = await client.response();
        if (head.includes(" 101 ")) {
          client.send(1, "hi");
          assertEquals(await client.hex(4), "81026869");
          got.push("echo");
        } else {
          // The response names the option that would admit the page.
          assertStringIncludes(head, " 403 ");
          if (!/^content-length: 0/im.test(head)) {
            while (client.body.at(-1) !== 0x0a) await client.hex(client.body.length + 1);
          }
          got.push(/`\w+`/.exec(client.body.toString())?.[0] ?? "");
        }
        await client.destroy();
      }
    }));
  return got;
}

const origins = ["https://example.com", "https://evil.example"];

for (const entry of ENTRIES) {
  const absent = entry.missing ?? missing("nginx", nginx !== null);
  const reason = absent === null ? "" : ` (left out: ${absent})`;
  const test = (title: string, fn: () => Promise<void>): void =>
    Deno.test({ name: `${title}: ${entry.name}${reason}`, ignore: absent !== null, fn });

  test("interop: a server behind nginx that keeps Host needs hosts, and a refusal says so", async () => {
    const kept = { host: "$http_host", origins };
    assertEquals(await answers(entry, {}, kept), ["`hosts`", "`hosts`"]);
    assertEquals(await answers(entry, { hosts: ["example.com"] }, kept), ["echo", "`origin`"]);
  });

  test("interop: a server behind nginx that changes Host needs origin, and a refusal says so", async () => {
    const changed = { host: "$proxy_host", origins };
    assertEquals(await answers(entry, {}, changed), ["`origin`", "`origin`"]);
    const origin = ["https://example.com"];
    assertEquals(await answers(entry, { origin }, changed), ["echo", "`origin`"]);
  });
}
