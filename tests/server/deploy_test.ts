/** Runs the configurations of docs/how-to/deploy.md: the server behind each proxy, and on systemd's socket. */
// Deno only: starts programs and reads the project's files

import { assertEquals, assertStringIncludes } from "@std/assert";
import { deadline } from "@std/async";
import { existsSync, writeFileSync } from "node:fs";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { nginx, nginxFolders, withProgram } from "../support/between.ts";
import { leftOut } from "../support/needs.ts";
import { findCommand } from "../support/processes.ts";
import { bundled, PATIENCE, RUNTIMES, startProgram } from "./programs.ts";

const ROOT = new URL("../../", import.meta.url);
const SERVER = "examples/deploy/server.ts";

const read = (path: string): string => Deno.readTextFileSync(new URL(path, ROOT));

/** The command that runs a program, with its arguments; `null` if it isn't installed. */
const haproxy = findCommand([["haproxy"], ["/usr/sbin/haproxy"]], ["-v"]);
const apache = findCommand([["apache2"], ["/usr/sbin/apache2"]], ["-v"]);
const caddy = findCommand([["caddy"]], ["version"]);
const MODULES = "/usr/lib/apache2/modules";

/** A proxy, and how to run its file from the docs at other ports. */
interface Proxy {
  readonly file: string;
  readonly needs: string;
  readonly program: readonly string[] | null;
  /** Writes the needed files into a folder, and returns the arguments. */
  prepare(config: string, folder: string, port: number): string[];
}

const PROXIES: readonly Proxy[] = [
  {
    file: "nginx.conf",
    needs: "nginx",
    program: nginx,
    prepare(config, folder, port) {
      const { main, http } = nginxFolders(folder);
      const text = `${main} http { ${http} server { listen 127.0.0.1:${port}; ${config} } }`;
      writeFileSync(`${folder}/nginx.conf`, text);
      return ["-p", folder, "-c", `${folder}/nginx.conf`, "-e", "stderr"];
    },
  },
  {
    file: "haproxy.cfg",
    needs: "haproxy",
    program: haproxy,
    prepare(config, folder, port) {
      writeFileSync(`${folder}/haproxy.cfg`, config.replace("0.0.0.0:80", `127.0.0.1:${port}`));
      return ["-f", `${folder}/haproxy.cfg`];
    },
  },
  {
    file: "apache.conf",
    needs: "apache2",
    program: existsSync(MODULES) ? apache : null,
    prepare(config, folder, port) {
      const modules = ["mpm_event", "authz_core", "proxy", "proxy_http"]
        .map((it) => `LoadModule ${it}_module ${MODULES}/mod_${it}.so\n`).join("");
      const text = `ServerRoot ${folder}\nServerName localhost\nPidFile ${folder}/pid\n` +
        `DefaultRuntimeDir ${folder}\nErrorLog /dev/stderr\nListen 127.0.0.1:${port}\n` +
        modules + config;
      writeFileSync(`${folder}/apache.conf`, text);
      return ["-X", "-f", `${folder}/apache.conf`];
    },
  },
  {
    file: "Caddyfile",
    needs: "caddy",
    program: caddy,
    prepare(config, folder, port) {
      const text = `{\n\tadmin off\n}\n${config.replace("example.com", `example.com:${port}`)}`;
      writeFileSync(`${folder}/Caddyfile`, text);
      return ["run", "--adapter", "caddyfile", "--config", `${folder}/Caddyfile`];
    },
  },
];

/** Runs a body with the guide's server, on Deno. */
async function withServer(
  body: (port: string, stop: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const env = ["env", "PORT=0", "HOSTS=example.com"];
  const deno = [Deno.execPath(), "run", "--quiet", "--allow-all", SERVER];
  const program = await startProgram([...env, ...deno]);
  try {
    await deadline(body(new URL(program.url).port, () => program.stop("SIGTERM")), PATIENCE);
  } finally {
    await program.stop("SIGKILL");
  }
}

for (const { file, needs, program, prepare } of PROXIES) {
  const left = leftOut(needs, program !== null);
  Deno.test({
    name: `deploy: behind ${file}, a page's WebSocket works, and a restart says 1012${left}`,
    ignore: program === null,
    async fn() {
      await withServer((behind, stop) =>
        withProgram((folder, port) => {
          const config = read(`examples/deploy/${file}`).replaceAll("8080", behind);
          return [...program ?? [], ...prepare(config, folder, port)];
        }, async (port) => {
          const client = NetWebSocketChannel.connect(`ws://127.0.0.1:${port}/chat`, {
            headers: { Host: `example.com:${port}` },
            origin: `http://example.com:${port}`,
          });
          const text = "€".repeat(100_000);
          for (const message of ["hello", text]) client.sink.add(message);
          assertEquals((await client.stream.next()).value, "hello");
          assertEquals((await client.stream.next()).value, text);
          const foreign = NetWebSocketChannel.connect(`ws://127.0.0.1:${port}/chat`, {
            headers: { Host: `example.com:${port}` },
            origin: "https://evil.example",
          });
          assertEquals(((await foreign.closed).error as { status?: number }).status, 403);
          void stop();
          const { code, reason, wasClean } = await client.closed;
          assertEquals([code, reason, wasClean], [1012, "restarting", true]);
        }, "SIGTERM")
      );
    },
  });
}

/** Does what systemd does for a service with a socket: descriptor 3 listens, and the environment says so. */
const ACTIVATE = `
import os, socket, sys
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(128)
print("socket at", listener.getsockname()[1], flush=True)
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(HOSTS="127.0.0.1", LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[1], sys.argv[1:])
`;
const python = findCommand([["python3"]]);

for (const [runtime, command] of RUNTIMES) {
  const isMissing = command === null || python === null;
  const left = leftOut(command === null ? runtime : "Python", !isMissing);
  Deno.test({
    name: `deploy: on the socket of a service manager, on ${runtime}${left}`,
    ignore: isMissing,
    async fn() {
      const script = runtime === "Deno" ? SERVER : await bundled(SERVER);
      const words = [...python ?? [], "-c", ACTIVATE, ...command ?? [], script];
      const program = await startProgram(words);
      try {
        const socket = await program.printed("socket at ");
        assertEquals(new URL(program.url).port, socket.slice("socket at ".length));
        const client = NetWebSocketChannel.connect(program.url);
        client.sink.add("hello");
        assertEquals((await client.stream.next()).value, "hello");
        const { text } = await program.stop("SIGTERM");
        assertEquals((await client.closed).code, 1012);
        assertStringIncludes(text, "closed\n");
      } finally {
        await program.stop("SIGKILL");
      }
    },
  });
}

Deno.test("deploy: the page shows the current files", () => {
  const page = read("docs/how-to/deploy.md");
  const files = [...Deno.readDirSync(new URL("examples/deploy/", ROOT))].map((it) => it.name);
  for (const file of files) {
    const text = read(`examples/deploy/${file}`);
    const shown = file === "server.ts" ? text.slice(text.indexOf("import ")) : text;
    assertStringIncludes(page, `\n${shown.trimEnd()}\n\`\`\``, file);
  }
});
