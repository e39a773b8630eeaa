/**
 * Writes docs/reference/options.md: every option of every public function, from the doc comments.
 *
 * ```sh
 * deno task options            # fails if the page is not what the doc comments say
 * deno task options --write    # writes it
 * ```
 */

import ts from "typescript";
import { readConfig } from "./build_npm.ts";
import { fromFileUrl } from "./support.ts";
import { succeed } from "./tools.ts";

const ROOT = new URL("../", import.meta.url);
const PAGE = new URL("docs/reference/options.md", ROOT);

const HEAD = `# All options

Written by \`deno task options --write\` from the doc comments. An option that is \`undefined\` counts as
missing. An unknown option, and a value of the wrong type, is a \`TypeError\`.
[Limits](../how-to/limits.md) explains the options that limit memory and time, [errors](errors.md) what
each error means.
`;

/** An option. */
interface Option {
  readonly name: string;
  readonly type: string;
  /** Its doc comment as one paragraph. */
  readonly text: string;
}

/** The options of a function. */
interface Group {
  readonly name: string;
  readonly text: string;
  /** The groups whose options these have as well, as the source says it. */
  readonly others: readonly string[];
  readonly options: readonly Option[];
}

/** The names that entries export. */
async function exported(): Promise<Set<string>> {
  const names = new Set<string>();
  for (const entry of Object.values((await readConfig()).exports)) {
    const said = await succeed([Deno.execPath(), "doc", "--json", entry], {
      cwd: fromFileUrl(ROOT),
    });
    const { nodes } = JSON.parse(said) as {
      nodes: Record<string, { symbols: { name: string }[] }>;
    };
    for (const { symbols } of Object.values(nodes)) for (const it of symbols) names.add(it.name);
  }
  return names;
}

async function* sources(folder: URL): AsyncGenerator<ts.SourceFile> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* sources(new URL(`${name}/`, folder));
    if (!name.endsWith(".ts")) continue;
    const text = await Deno.readTextFile(new URL(name, folder));
    yield ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  }
}

/**
 * A doc comment without tags and links, as the content of a list item: its paragraphs and lists are indented. Only its
 * first paragraph if `isShort`.
 */
function docOf(node: ts.Node, isShort = false): string {
  const [doc] = ts.getJSDocCommentsAndTags(node);
  const text = (doc === undefined ? "" : ts.getTextOfJSDocComment(doc.comment) ?? "")
    .replace(/\`\`\`[^]*?\`\`\`/g, "")
    .replace(/\{@link(?:code|plain)?\s+([^}]+)\}/g, (_, name) => `\`${name.trim()}\``);
  const blocks = text.trim().split(/\n\s*\n|\n(?=- )/).map((it) => it.replace(/\s+/g, " ").trim());
  return isShort ? blocks[0] ?? "" : blocks.join("\n\n  ");
}

const oneLine = (node: ts.Node): string => node.getText().replace(/\s+/g, " ");

function optionsOf(members: ts.NodeArray<ts.TypeElement>): Option[] {
  return members.flatMap((it) => {
    if (!ts.isPropertySignature(it) && !ts.isMethodSignature(it)) return [];
    const type = ts.isPropertySignature(it)
      ? it.type === undefined ? "" : oneLine(it.type)
      : `(${it.parameters.map(oneLine).join(", ")}) => ${
        it.type === undefined ? "" : oneLine(it.type)
      }`;
    return [{
      name: it.name.getText(),
      type: type.replace(/^\| | \| undefined$/g, ""),
      text: docOf(it),
    }];
  });
}

/** Every public interface and type that is called `…Options`, by name. */
async function groups(): Promise<Group[]> {
  const names = await exported();
  const found = new Map<string, Group>();
  for await (const file of sources(new URL("src/", ROOT))) {
    for (const node of file.statements) {
      if (!ts.isInterfaceDeclaration(node) && !ts.isTypeAliasDeclaration(node)) continue;
      const name = node.name.text;
      if (!name.endsWith("Options") || !names.has(name)) continue;
      const text = docOf(node, true);
      if (ts.isInterfaceDeclaration(node)) {
        const others = node.heritageClauses?.flatMap((it) => it.types.map(oneLine)) ?? [];
        found.set(name, { name, text, others, options: optionsOf(node.members) });
      } else {
        const isLiteral = ts.isTypeLiteralNode(node.type);
        found.set(name, {
          name,
          text,
          others: isLiteral ? [] : [oneLine(node.type)],
          options: ts.isTypeLiteralNode(node.type) ? optionsOf(node.type.members) : [],
        });
      }
    }
  }
  return [...found.values()].sort((a, b) => a.name < b.name ? -1 : 1);
}

function render({ name, text, others, options }: Group): string {
  const parts = [`## ${name}`, text];
  if (others.length > 0) parts.push(`Also those of ${others.map((it) => `\`${it}\``).join(", ")}.`);
  const lines = options.map((it) => `- **\`${it.name}\`**: \`${it.type}\`. ${it.text}`);
  return [...parts, lines.join("\n")].filter((it) => it !== "").join("\n\n");
}

/** The expected page. */
export async function optionsPage(): Promise<string> {
  const text = [HEAD, ...(await groups()).map(render)].join("\n\n") + "\n";
  const temporary = await Deno.makeTempFile({ suffix: ".md" });
  try {
    await Deno.writeTextFile(temporary, text);
    await succeed([
      Deno.execPath(),
      "fmt",
      `--config=${fromFileUrl(new URL("deno.json", ROOT))}`,
      temporary,
    ]);
    return await Deno.readTextFile(temporary);
  } finally {
    await Deno.remove(temporary);
  }
}

if (import.meta.main) {
  const wanted = await optionsPage();
  if (Deno.args.includes("--write")) await Deno.writeTextFile(PAGE, wanted);
  else if (await Deno.readTextFile(PAGE).catch(() => "") !== wanted) {
    console.error(
      "docs/reference/options.md is not what the doc comments say. Run: deno task options --write",
    );
    Deno.exit(1);
  }
}
