/** The npm package's types in a strict project, and the source's as dnt checks them. */

import { NPM_NAME, readConfig } from "./build_npm.ts";
import { type Checked, specifier, write, writeReadme } from "./checked_package.ts";
import { fromFileUrl } from "./support.ts";
import { succeed, tool, toolCommand } from "./tools.ts";

/** A strict project that uses all of the package, and looks into its declarations as well. */
export async function checkTypes(checked: Checked): Promise<void> {
  const imports = [...checked.entries.keys()].map((it, i) =>
    `import * as entry${i} from ${JSON.stringify(specifier(it))};`
  );
  const names = imports.map((_, i) => `entry${i}`);
  await write(
    checked,
    "consumer.ts",
    `${imports.join("\n")}
import { checkServerIdentity } from "node:tls";
import { type CloseInfo, ConnectError, WebSocketChannel } from "${NPM_NAME}";

export const entries = [${names.join(", ")}];

export async function talk(url: string): Promise<CloseInfo> {
  await using channel = WebSocketChannel.connect(url, { protocols: ["v1"] });
  try {
    await channel.ready;
  } catch (error) {
    if (error instanceof ConnectError) throw new Error(String(error.phase), { cause: error });
    throw error;
  }
  channel.sink.add("text");
  channel.sink.add(new Uint8Array(1));
  for await (const message of channel.stream) {
    if (typeof message === "string") message.toUpperCase();
    else message.subarray(0, 1);
  }
  return await channel.closed;
}

export function pinned(url: string, fingerprint256: string): WebSocketChannel {
  return WebSocketChannel.connect(url, {
    tls: {
      checkServerIdentity(hostname, certificate) {
        if (certificate.fingerprint256 !== fingerprint256) return new Error("not the pinned one");
        return checkServerIdentity(hostname, certificate);
      },
    },
  });
}

// @ts-expect-error: a number is no message
export const wrong = (channel: WebSocketChannel) => channel.sink.add(1);
`,
  );
  // A worker's `self`, by the types for pages.
  const channels = JSON.stringify(`${NPM_NAME}/stream-channel`);
  await write(
    checked,
    "worker.ts",
    `import { MessagePortChannel } from ${channels};
export const channel = new MessagePortChannel<string>(self);
`,
  );
  // rxjs and others ask for the page's own types.
  await write(
    checked,
    "faces.ts",
    `import { createWebSocket, toWebSocket } from ${JSON.stringify(`${NPM_NAME}/faces`)};
import type { WebSocketChannel } from "${NPM_NAME}";
type Wanted = new (url: string, protocols?: string | string[]) => WebSocket;
export const wanted: Wanted = createWebSocket();
export const same: typeof WebSocket = createWebSocket();
export const socket = (channel: WebSocketChannel): WebSocket => toWebSocket(channel);
export const listener = new wanted("ws://127.0.0.1:9");
listener.onerror = (event) => console.log(event.type);
createWebSocket().prototype.onerror = ({ error, message }) => console.log(error, message);
`,
  );
  const files = ["consumer.ts", ...await writeReadme(checked)];
  const typeRoots = [fromFileUrl(new URL("../", await tool("@types/node")))];
  const node = { lib: ["es2022"], types: ["node"], typeRoots };
  const dom = { ...node, lib: ["es2022", "dom", "dom.iterable", "dom.asynciterable"] };
  const { nodenext, bundler } = RESOLUTIONS;
  const projects: [options: object, files: string[]][] = [
    [{ ...nodenext, ...node }, files],
    [{ ...nodenext, ...dom }, [...files, "worker.ts", "faces.ts"]],
    [{ ...bundler, ...dom }, [...files, "worker.ts", "faces.ts"]],
  ];
  for (const [options, files] of projects) await compile(checked, options, files);
}

/** Compiles files of the project, the package's declarations included. */
async function compile(
  checked: Checked,
  options: object,
  files: readonly string[],
  version?: string,
): Promise<void> {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
    target: "es2022",
    ...options,
  };
  await write(checked, "tsconfig.json", JSON.stringify({ compilerOptions, files }));
  await succeed([...await toolCommand("typescript", "tsc", version), "-p", "."], {
    cwd: fromFileUrl(checked.project),
  });
}

/** The ways in which TypeScript finds a package. */
const RESOLUTIONS = {
  node16: { module: "node16", moduleResolution: "node16" },
  nodenext: { module: "nodenext", moduleResolution: "nodenext" },
  bundler: { module: "esnext", moduleResolution: "bundler" },
};

/** The compilers that are tried: the README promises the first, and all later ones. */
export const COMPILERS: readonly string[] = ["5.4", "5.5", "5.9", "6.0", "7.0"];

/** One version of TypeScript, in a project that names no library beyond ES2022 and the DOM. */
export async function checkCompiler(version: string, checked: Checked): Promise<void> {
  const readme = await Deno.readTextFile(new URL("README.md", checked.built.content));
  const promise = `TypeScript ${COMPILERS[0]} or later`;
  if (!readme.includes(promise)) throw new Error(`The README doesn't say: ${promise}`);
  const imports = [...checked.entries.keys()].map((it, i) =>
    `import * as entry${i} from ${JSON.stringify(specifier(it))};`
  );
  await write(
    checked,
    "plain.ts",
    `${imports.join("\n")}
import { type Message, WebSocketChannel } from "${NPM_NAME}";

export const entries = [${imports.map((_, i) => `entry${i}`).join(", ")}];

export async function read(url: string): Promise<Message[]> {
  await using channel = WebSocketChannel.connect(url);
  const messages: Message[] = [];
  for await (const message of channel.stream) {
    messages.push(typeof message === "string" ? message.toUpperCase() : message.subarray(1));
  }
  const { done, value } = await channel.stream[Symbol.asyncIterator]().next();
  if (done !== true) messages.push(value);
  // @ts-expect-error: nothing is left when it is done
  else messages.push(value);
  return messages;
}
`,
  );
  for (const resolution of Object.values(RESOLUTIONS)) {
    const options = { ...resolution, lib: ["es2022", "dom"], types: [] };
    await compile(checked, options, ["plain.ts"], version);
  }
}

/** The source's types by TypeScript itself, with the settings that dnt has. */
export async function checkSource({ project }: Checked): Promise<void> {
  const root = new URL("../", import.meta.url);
  const files = Object.values((await readConfig()).exports).map((it) => new URL(it, root));
  const compilerOptions = {
    strict: true,
    useUnknownInCatchVariables: false,
    isolatedModules: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    target: "es2022",
    module: "esnext",
    moduleResolution: "bundler",
    lib: ["esnext", "dom", "dom.iterable"],
    types: ["node"],
    typeRoots: [fromFileUrl(new URL("../", await tool("@types/node")))],
  };
  const config = new URL("tsconfig.source.json", project);
  await Deno.writeTextFile(
    config,
    JSON.stringify({ compilerOptions, files: files.map(fromFileUrl) }),
  );
  await succeed([...await toolCommand("typescript", "tsc"), "-p", fromFileUrl(config)]);
}
