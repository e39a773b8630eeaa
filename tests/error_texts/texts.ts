/** The texts of errors in the source. For Deno only: it reads the source. */

import ts from "typescript";
import { readText, sourcesBelow } from "../support/sources.ts";

/** An error's text; `…` stands for a value that the source inserts. */
export interface ErrorText {
  readonly text: string;
  readonly path: string;
}

const PROXY = "Cannot connect to …: the proxy …: ";

/** The functions that create errors. `at` is the position of the text among the arguments; `before` precedes it. */
const MAKERS: Readonly<Record<string, { at: number; before?: string }>> = {
  Error: { at: 0 },
  TypeError: { at: 0 },
  RangeError: { at: 0 },
  SyntaxError: { at: 0 },
  DOMException: { at: 0 },
  WebSocketChannelError: { at: 0 },
  ConnectError: { at: 0 },
  ProtocolError: { at: 0 },
  ValidationError: { at: 0 },
  invalidState: { at: 0 },
  // `Cannot connect to <url>: ` goes before these.
  HandshakeError: { at: 1, before: "Cannot connect to …: " },
  ProxyRefusal: { at: 0, before: PROXY },
  LimitError: { at: 0 },
  TopicsError: { at: 0 },
  EngineError: { at: 0 },
  malformedOption: { at: 1, before: "Cannot use the option …: it must be " },
  protocolFailure: { at: 0, before: "The peer broke the protocol: " },
  super: { at: 0 },
};

/** All texts of the errors that src/ makes, sorted. */
export async function errorTexts(): Promise<ErrorText[]> {
  const found: ErrorText[] = [];
  for (const { path, text } of await sourcesBelow("src")) {
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    const visit = (node: ts.Node): void => {
      for (const it of textsOf(node)) found.push({ text: it, path });
      if (FAULTS.test(path) && isSentence(node)) {
        const before = path.endsWith("socks.ts") ? PROXY : "Cannot connect to …: ";
        for (const it of valuesOf(node)) found.push({ text: before + it, path });
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return found.filter(({ text }) => /[A-Za-z]/.test(text));
}

/** The functions whose sentence is the whole reason of a failed attempt to connect. */
const FAULTS = /^src\/net\/(dial_error|redirect|socks)\.ts$|^src\/native\/connect_failure\.ts$/;

function isSentence(node: ts.Node): node is ts.Expression {
  if (!ts.isStringLiteral(node) && !ts.isTemplateExpression(node)) return false;
  return node.getText().split(" ").length > 2;
}

function textsOf(node: ts.Node): string[] {
  if (!ts.isNewExpression(node) && !ts.isCallExpression(node)) return [];
  const name = node.expression.kind === ts.SyntaxKind.SuperKeyword
    ? "super"
    : ts.isIdentifier(node.expression)
    ? node.expression.text
    : "";
  const maker = Object.hasOwn(MAKERS, name) ? MAKERS[name] : undefined;
  const argument = maker && node.arguments?.[maker.at];
  if (maker === undefined || argument === undefined) return [];
  return valuesOf(argument).map((it) => `${maker.before ?? ""}${it}`);
}

/** The possible texts of an expression; `…` stands for an unknown part. */
function valuesOf(node: ts.Expression): string[] {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return [node.text];
  if (ts.isParenthesizedExpression(node)) return valuesOf(node.expression);
  if (ts.isConditionalExpression(node)) {
    return [...valuesOf(node.whenTrue), ...valuesOf(node.whenFalse)];
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    return joined(valuesOf(node.left), valuesOf(node.right));
  }
  if (ts.isTemplateExpression(node)) {
    return node.templateSpans.reduce(
      (before, { expression, literal }) =>
        joined(joined(before, valuesOf(expression)), [literal.text]),
      [node.head.text],
    );
  }
  if (ts.isIdentifier(node)) return constantOf(node);
  return ["…"];
}

function joined(left: readonly string[], right: readonly string[]): string[] {
  return left.flatMap((a) => right.map((b) => a + b));
}

/** The value of a constant of an enclosing block. */
function constantOf(name: ts.Identifier): string[] {
  for (let scope: ts.Node = name.parent; scope !== undefined; scope = scope.parent) {
    if (!ts.isBlock(scope) && !ts.isSourceFile(scope)) continue;
    for (const statement of scope.statements) {
      if (!ts.isVariableStatement(statement)) continue;
      for (const it of statement.declarationList.declarations) {
        if (!ts.isIdentifier(it.name) || it.name.text !== name.text) continue;
        return it.initializer === undefined ? ["…"] : valuesOf(it.initializer);
      }
    }
  }
  return ["…"];
}

/** A line of the page: the text of an error, its class, its meaning and the remedy. */
export interface ErrorLine {
  readonly text: string;
  readonly name: string;
  readonly meaning: string;
}

/** The page that has a line for each error. */
export const PAGE = "docs/reference/errors.md";

/** Reads the page's lines. */
export async function errorLines(): Promise<ErrorLine[]> {
  const rows = (await readText(PAGE)).split("\n").filter((it) => it.startsWith("| `"));
  return rows.map((row) => {
    const cells = /^\| (?:`` (.+?) ``|`(.+?)`) \| `(\w+)` \| (.+) \|$/.exec(row) ?? [];
    const [, quoted, plain = "", name = "", meaning = ""] = cells;
    const text = quoted ?? plain;
    return { text, name, meaning };
  });
}

/** Whether a line describes a text: `…` matches anything. */
export function isAbout(line: string, text: string): boolean {
  return new RegExp(`^${partsOf(line).map(escaped).join("[^]*")}$`).test(text);
}

/** The parts of a line between the inserted values. */
export function partsOf(line: string): string[] {
  return line.split("…");
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
