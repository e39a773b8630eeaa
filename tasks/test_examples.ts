/** The examples on a runtime, importing the package as npm installs it. */

import { NPM_NAME, readConfig } from "./build_npm.ts";
import { fromFileUrl } from "./support.ts";
import { esbuild, type Finished, output, type Runtime, succeed } from "./tools.ts";
import { type RecipeName, type RecipeOptions, startRecipe } from "../tests/support/recipes.ts";

const ROOT = new URL("../", import.meta.url);

interface Example {
  /** The server that it needs; left out: it has one of its own. */
  readonly recipe?: RecipeName;
  readonly options?: RecipeOptions;
  /** Its expected output, without spaces. */
  readonly stdout: string;
}

const TICKS: RecipeOptions = {
  messages: ['{"tick":1}', '{"tick":2}'],
  code: 1000,
  reason: "that's all",
  wait: "data",
};

/** What each needs, and says. An example that needs a server of its own is run by its own test. */
const EXAMPLES: Readonly<Record<string, Example>> = {
  first_page_dart: { recipe: "push", options: { messages: ["hello"] }, stdout: "" },
  first_page_javascript: { recipe: "push", options: TICKS, stdout: "{tick:1}{tick:2}" },
  first_page_finally: { recipe: "push", options: TICKS, stdout: "{tick:1}{tick:2}" },
  json_messages: { recipe: "echo", options: {}, stdout: "2×tea1×milkclosedby:local" },
  echo: { stdout: "client:helloclient:123server:aclientleftwith1000done" },
  token_login: {
    stdout: ["header", "cookie", "query", "subprotocol"].map((it) => `${it}:hello,thegardener`)
      .join("") + "wrongtoken:refusedwith401notoken:refusedwith401",
  },
};

/** The numbers of passed and failed examples. */
export interface ExamplesOutcome {
  readonly passed: number;
  readonly failed: number;
}

/**
 * Runs the examples.
 *
 * @param runtime Where.
 * @param project The folder that the package is installed in.
 */
export async function runExamples(runtime: Runtime, project: URL): Promise<ExamplesOutcome> {
  let passed = 0;
  let failed = 0;
  for (const [name, example] of Object.entries(EXAMPLES)) {
    const { code, stdout, stderr } = await run(name, example, runtime, project);
    if (code === 0 && plain(stdout) === example.stdout) passed++;
    else {
      failed++;
      console.log(`FAILED on ${runtime.name}: examples/${name}.ts\n${stdout}\n${stderr}`);
    }
  }
  return { passed, failed };
}

/** Runtimes differ in how they lay out what they print. */
function plain(text: string): string {
  return text.replaceAll(/\s/g, "").replaceAll(",}", "}");
}

async function run(
  name: string,
  { recipe, options }: Example,
  runtime: Runtime,
  project: URL,
): Promise<Finished> {
  const script = fromFileUrl(new URL(`${runtime.name.replace(" ", "_")}_${name}.mjs`, project));
  await compile(name, script);
  const server = recipe === undefined ? null : await startRecipe(recipe, options);
  const args = server === null ? [] : [server.url];
  try {
    return await output([...runtime.command, script, ...args], { cwd: fromFileUrl(project) });
  } finally {
    await server?.close();
  }
}

/** As a user's compiler would for Node 20, with the name that the package has on npm. */
async function compile(name: string, script: string): Promise<void> {
  const source = fromFileUrl(new URL(`examples/${name}.ts`, ROOT));
  const compiled = await succeed([...await esbuild(), source, "--format=esm", "--target=node20"]);
  await Deno.writeTextFile(script, compiled.replaceAll((await readConfig()).name, NPM_NAME));
}
