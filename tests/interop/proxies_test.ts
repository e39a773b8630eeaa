/**
 * Real proxies, from Debian: squid, dante and microsocks. tinyproxy is in `net_peers_test.ts`.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { chmodSync, writeFileSync } from "node:fs";
import type { ConnectOptions } from "../../src/net/mod.ts";
import { withProgram } from "../support/between.ts";
import { startTls } from "../support/net_peers.ts";
import { findCommand } from "../support/processes.ts";
import { startRecipe } from "../support/recipes.ts";
import { assertReaches, certificates, connectFailure } from "../net/support.ts";
import { leftOut } from "../support/needs.ts";

const squid = findCommand([["squid"], ["/usr/sbin/squid"]], ["-v"]);
const dante = findCommand([["danted"], ["/usr/sbin/danted"]], ["-v"]);
// microsocks has no option that prints something and exits with 0.
const microsocks = findCommand([["which"]], ["microsocks"]) === null ? null : ["microsocks"];

function test(name: string, program: readonly string[] | null, fn: () => Promise<void>): void {
  const reason = leftOut(name.split(":")[0] ?? "", program !== null);
  Deno.test({ name: `interop ${name}${reason}`, ignore: program === null, fn });
}

/** An echo server, plain and with TLS, and the options to connect with TLS. */
interface Target {
  readonly plain: string;
  readonly secure: string;
  readonly options: ConnectOptions;
  readonly port: number;
}

async function withTarget(body: (target: Target) => Promise<void>): Promise<void> {
  const { authority, local } = certificates();
  const echo = await startRecipe("echo", { quiet: true });
  const peer = await startTls(echo.url, local);
  const port = Number(new URL(echo.url).port);
  try {
    await body({
      plain: `ws://localhost:${port}`,
      secure: `wss://localhost:${peer.port}`,
      options: { tls: { ca: authority.cert } },
      port,
    });
  } finally {
    await peer.close();
    await echo.close();
  }
}

function squidConfig(folder: string, port: number, ports: readonly number[]): string {
  return `
    http_port 127.0.0.1:${port}
    pid_filename ${folder}/pid
    cache_log stdio:/dev/stderr
    access_log none
    cache deny all
    coredump_dir ${folder}
    pinger_enable off
    auth_param digest program ${folder}/login.sh
    auth_param digest realm here, Basic there
    auth_param basic program ${folder}/login.sh
    auth_param basic realm here
    acl users proxy_auth REQUIRED
    acl targets port ${ports.join(" ")}
    http_access deny !targets
    http_access allow users
    http_access deny all
  `;
}

const LOGIN = "#!/bin/sh\nwhile read -r line; do\n" +
  '  if [ "$line" = "user secret" ]; then echo OK; else echo ERR; fi\ndone\n';

test(
  "squid: a CONNECT tunnel with credentials, and the error when squid refuses",
  squid,
  async () => {
    await withTarget(async ({ plain, secure, options, port: target }) => {
      const ports = [target, Number(new URL(secure).port), 1];
      await withProgram((folder, port) => {
        // squid may change to another user, who needs access to the folder.
        chmodSync(folder, 0o777);
        writeFileSync(`${folder}/squid.conf`, squidConfig(folder, port, ports));
        writeFileSync(`${folder}/login.sh`, LOGIN, { mode: 0o755 });
        return [...squid ?? [], "-N", "-f", `${folder}/squid.conf`];
      }, async (port) => {
        const proxy = `http://user:secret@127.0.0.1:${port}`;
        const shown = `http://127.0.0.1:${port}`;
        const { connectionInfo } = await assertReaches(plain, { proxy });
        assertEquals([connectionInfo?.remotePort, connectionInfo?.proxy], [port, shown]);
        await assertReaches(secure, { ...options, proxy });
        const headers = {
          "User-Agent": "me/1",
          "Proxy-Authorization": `Basic ${btoa("user:secret")}`,
        };
        await assertReaches(plain, { proxy: { url: shown, headers } });

        const refused = async (url: string, proxy: string): Promise<string> => {
          const error = await connectFailure(url, { proxy });
          assertEquals(error.phase, "proxy");
          assert((error.response?.body.length ?? 0) > 0);
          return `${error.status} ${error.retryable} ${error.message.split(`${shown}: `)[1]}`;
        };
        const offered = "It offers Digest, Basic";
        assertEquals(
          await refused(plain, shown),
          "407 false it answered 407 Proxy Authentication Required, text/html. " +
            `${offered}: set the credentials in the proxy's URL`,
        );
        assertEquals(
          await refused(plain, proxy.replace("secret", "other")),
          "407 false it answered 407 Proxy Authentication Required, text/html. " +
            `${offered}: it doesn't accept the credentials that it got`,
        );
        assertMatch(
          await refused("ws://127.0.0.1:2", proxy),
          /^403 false it answered 403 Forbidden/,
        );
        assertMatch(
          await refused("ws://127.0.0.1:1", proxy),
          /^503 true it answered 503 Service Una/,
        );
      });
    });
  },
);

function danteConfig(port: number): string {
  return `
    logoutput: /dev/null
    internal: 127.0.0.1 port = ${port}
    external: 127.0.0.1
    clientmethod: none
    socksmethod: none
    user.unprivileged: nobody
    client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
    socks block { from: 127.0.0.0/8 to: 127.0.0.1/32 port = 2 }
    socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
  `;
}

test("dante: SOCKS5, by name and by address", dante, async () => {
  await withTarget(async ({ plain, secure, options }) => {
    await withProgram((folder, port) => {
      writeFileSync(`${folder}/danted.conf`, danteConfig(port));
      return [...dante ?? [], "-f", `${folder}/danted.conf`, "-p", `${folder}/pid`];
    }, async (port) => {
      for (const scheme of ["socks5", "socks5h"]) {
        const proxy = `${scheme}://127.0.0.1:${port}`;
        await assertReaches(plain, { proxy });
        await assertReaches(secure, { ...options, proxy });
        // dante also accepts a client without a login.
        await assertReaches(plain, { proxy: proxy.replace("//", "//user:secret@") });
        const refused = await connectFailure("ws://127.0.0.1:1", { proxy });
        assertEquals([refused.phase, refused.retryable], ["proxy", true]);
        assertMatch(refused.message, /: the server refused its connection$/);
        const forbidden = await connectFailure("ws://127.0.0.1:2", { proxy });
        assertEquals([forbidden.phase, forbidden.retryable], ["proxy", false]);
        assertMatch(forbidden.message, /: its rules don't allow the connection$/);
      }
    }, "SIGTERM");
  });
});

test("microsocks: SOCKS5 with a user name and a password", microsocks, async () => {
  await withTarget(async ({ plain, secure, options }) => {
    const login = ["-u", "user", "-P", "p@ss"];
    await withProgram(
      (_folder, port) => [...microsocks ?? [], "-i", "127.0.0.1", "-p", `${port}`, ...login],
      async (port) => {
        for (const scheme of ["socks5", "socks5h"]) {
          const proxy = `${scheme}://user:p%40ss@127.0.0.1:${port}`;
          await assertReaches(plain, { proxy });
          await assertReaches(secure, { ...options, proxy });
          const wrong = await connectFailure(plain, { proxy: proxy.replace("user", "other") });
          assertMatch(wrong.message, /: it doesn't accept the credentials of its URL$/);
          const none = await connectFailure(plain, { proxy: `${scheme}://127.0.0.1:${port}` });
          assertMatch(none.message, /\. Set credentials in the proxy's URL$/);
          assertEquals([wrong.retryable, none.retryable], [false, false]);
        }
      },
    );
  });
});
