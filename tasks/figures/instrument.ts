/** Source text in which every function records its calls. */

import ts from "typescript";
import { hasBody, nameOf } from "./functions.ts";

interface Edit {
  readonly at: number;
  readonly text: string;
}

/** The code before a function's own code, and the code after it. */
interface Edits {
  readonly before: readonly Edit[];
  readonly after: readonly Edit[];
}

/**
 * Makes every function of a source file call `$enter(this, name, path)` first and `$exit(call)` last:
 * methods, accessors, constructors, functions and closures. Both are globals of the program that runs the
 * code. The lines keep their numbers.
 *
 * A call of an async function lasts until its first `await`, a generator's no longer than it takes to
 * create the generator.
 *
 * @param file The source file; its name is what the calls record.
 */
export function instrument(file: ts.SourceFile): string {
  const edits: Edit[] = [];
  const visit = (node: ts.Node): void => {
    const own = hasBody(node) ? editsOf(node, node.body, file.fileName) : null;
    if (own !== null) edits.push(...own.before);
    ts.forEachChild(node, visit);
    if (own !== null) edits.push(...own.after);
  };
  visit(file);
  // The sort is stable: of two functions that end at the same place the inner one ends first.
  return applied(edits.sort((a, b) => a.at - b.at), file.text);
}

function applied(edits: readonly Edit[], text: string): string {
  let result = "";
  let done = 0;
  for (const edit of edits) {
    result += text.slice(done, edit.at) + edit.text;
    done = edit.at;
  }
  return result + text.slice(done);
}

function editsOf(node: ts.FunctionLikeDeclaration, body: ts.ConciseBody, path: string): Edits {
  const { async, isGenerator } = kindOf(node);
  const args = [thisOf(node), JSON.stringify(nameOf(node)), JSON.stringify(path)].join();
  const start = body.getStart();
  if (isGenerator) {
    return { before: [{ at: start + 1, text: `$exit($enter(${args}));` }], after: [] };
  }
  // An async function becomes a function that calls an async one.
  const removed = async === undefined
    ? []
    : [{ at: async.getStart(), text: "/*" }, { at: async.end, text: "*/" }];
  const [open, close] = async === undefined ? ["", ""] : ["return (async () => {", "})();"];
  const enter = `const $call = $enter(${args}); try { ${open}`;
  const exit = `${close} } finally { $exit($call); }`;
  if (ts.isBlock(body)) {
    return {
      before: [...removed, { at: start + 1, text: enter }],
      after: [{ at: body.end - 1, text: exit }],
    };
  }
  return {
    before: [...removed, { at: start, text: `{ ${enter} return (` }],
    after: [{ at: body.end, text: `); ${exit} }` }],
  };
}

function kindOf(
  node: ts.FunctionLikeDeclaration,
): { async: ts.Modifier | undefined; isGenerator: boolean } {
  const modifiers = ts.canHaveModifiers(node) ? ts.getModifiers(node) ?? [] : [];
  return {
    async: modifiers.find((it) => it.kind === ts.SyntaxKind.AsyncKeyword),
    isGenerator: "asteriskToken" in node && node.asteriskToken !== undefined,
  };
}

/** The text that evaluates to `this`. Until `super()` has returned there is none. */
function thisOf(node: ts.Node): string {
  if (ts.isConstructorDeclaration(node)) return "undefined";
  for (let it = node; it !== undefined && !ts.isClassElement(it); it = it.parent) {
    if (ts.isCallExpression(it) && it.expression.kind === ts.SyntaxKind.SuperKeyword) {
      return "undefined";
    }
  }
  return "this";
}
