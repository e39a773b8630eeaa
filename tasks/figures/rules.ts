/** The rules for counting in the source's text. */

import ts from "typescript";
import { functionsOf, nameOf } from "./functions.ts";

/** Something that was counted, and where it is. */
export interface Found {
  readonly name: string;
  readonly path: string;
  /** From 1. */
  readonly line: number;
}

/** Parses a source file. */
export function parse(path: string, text: string): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
}

function found(name: string, node: ts.Node): Found {
  const file = node.getSourceFile();
  const { line } = file.getLineAndCharacterOfPosition(node.getStart());
  return { name, path: file.fileName, line: line + 1 };
}

/**
 * The functions that only forward. A method, accessor or function of a module counts, and an arrow function
 * that is a property; a closure within a function does not. The whole body is one statement or
 * expression, and that is one of these:
 *
 * - A call whose arguments are the function's own parameters, all of them, unchanged and in their order. The
 *   callee is a member of a field (`this.#socket.end()`), of a field's field, of `super`, or of a parameter,
 *   which is then not among the arguments. A call of the same object's own method, or of a function of a
 *   module, does not count.
 * - In a getter: a property of such an object (`this.#socket.writableLength`). A getter that returns a
 *   field itself does not count.
 * - In a setter: an assignment of its parameter to such a property.
 *
 * `return`, `await`, `void`, `!`, `?.`, `as`, parentheses and a constant behind `??` make no difference:
 * `return this.#protocol?.sentClose ?? null` counts.
 */
export function forwards(file: ts.SourceFile): Found[] {
  return functionsOf(file).filter((it) => isNamed(it) && isForward(it))
    .map((it) => found(nameOf(it), it));
}

function isNamed(node: ts.FunctionLikeDeclaration): boolean {
  if (ts.isConstructorDeclaration(node)) return false;
  if (!ts.isArrowFunction(node) && !ts.isFunctionExpression(node)) return true;
  const { parent } = node;
  if (ts.isPropertyDeclaration(parent) || ts.isPropertyAssignment(parent)) return true;
  // `const name = …` of the module: one within a function is a closure.
  return ts.isVariableDeclaration(parent) && ts.isSourceFile(parent.parent.parent.parent);
}

function isForward(node: ts.FunctionLikeDeclaration): boolean {
  const expression = onlyExpression(node.body);
  if (expression === null) return false;
  const parameters = parametersOf(node);
  if (parameters === null) return false;
  if (ts.isCallExpression(expression)) return isForwardingCall(expression, parameters);
  if (ts.isGetAccessor(node)) return isForeignMember(expression, []);
  return ts.isSetAccessor(node) && isForwardingAssignment(expression, parameters);
}

/** The expression that is all there is to a function. */
function onlyExpression(body: ts.ConciseBody | undefined): ts.Expression | null {
  if (body === undefined) return null;
  if (!ts.isBlock(body)) return stripped(body);
  const [statement, ...rest] = body.statements;
  if (statement === undefined || rest.length > 0) return null;
  if (ts.isExpressionStatement(statement)) return stripped(statement.expression);
  if (!ts.isReturnStatement(statement) || statement.expression === undefined) return null;
  return stripped(statement.expression);
}

/** An expression without what changes nothing. */
function stripped(expression: ts.Expression): ts.Expression {
  if (
    ts.isParenthesizedExpression(expression) || ts.isAwaitExpression(expression) ||
    ts.isVoidExpression(expression) || ts.isNonNullExpression(expression) ||
    ts.isAsExpression(expression) || ts.isSatisfiesExpression(expression)
  ) return stripped(expression.expression);
  if (
    ts.isBinaryExpression(expression) &&
    expression.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken &&
    isConstant(expression.right)
  ) return stripped(expression.left);
  return expression;
}

function isConstant(node: ts.Expression): boolean {
  return ts.isLiteralExpression(node) || ts.isIdentifier(node) ||
    node.kind === ts.SyntaxKind.NullKeyword || node.kind === ts.SyntaxKind.TrueKeyword ||
    node.kind === ts.SyntaxKind.FalseKeyword;
}

/** The names of the parameters, a rest parameter's with its dots; `null` when one is taken apart. */
function parametersOf(node: ts.FunctionLikeDeclaration): string[] | null {
  const names: string[] = [];
  for (const { name, dotDotDotToken } of node.parameters) {
    if (!ts.isIdentifier(name)) return null;
    if (name.text !== "this") names.push((dotDotDotToken ? "..." : "") + name.text);
  }
  return names;
}

function isForwardingCall(call: ts.CallExpression, parameters: readonly string[]): boolean {
  const callee = stripped(call.expression);
  // As in `this.#list[Symbol.iterator]()`.
  const isForeign = ts.isElementAccessExpression(callee)
    ? isForeignObject(callee.expression, parameters)
    : isForeignMember(callee, parameters);
  if (!isForeign) return false;
  const receiver = rootOf(callee);
  const own = ts.isIdentifier(receiver) ? receiver.text : null;
  const expected = parameters.filter((it) => it !== own);
  const given = call.arguments.map((it) => stripped(it).getText());
  return given.length === expected.length && given.every((it, i) => it === expected[i]);
}

/** Whether it is a property or method of such an object. */
function isForeignMember(node: ts.Expression, parameters: readonly string[]): boolean {
  return ts.isPropertyAccessExpression(node) && isForeignObject(node.expression, parameters);
}

/** Whether it is `super`, a parameter, a field, or a field of any of these. */
function isForeignObject(node: ts.Expression, parameters: readonly string[]): boolean {
  const object = stripped(node);
  if (object.kind === ts.SyntaxKind.SuperKeyword) return true;
  if (ts.isIdentifier(object)) return parameters.includes(object.text);
  if (!ts.isPropertyAccessExpression(object)) return false;
  const root = rootOf(object);
  return root.kind === ts.SyntaxKind.ThisKeyword ||
    ts.isIdentifier(root) && parameters.includes(root.text);
}

/** What a chain of properties begins with. */
function rootOf(node: ts.Expression): ts.Expression {
  const inner = stripped(node);
  const isMember = ts.isPropertyAccessExpression(inner) || ts.isElementAccessExpression(inner);
  return isMember ? rootOf(inner.expression) : inner;
}

function isForwardingAssignment(node: ts.Expression, parameters: readonly string[]): boolean {
  return ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.EqualsToken &&
    isForeignMember(node.left, []) && node.right.getText() === parameters[0];
}

const CALLBACK_NAME = /(Events|Listener|Handler|Owner|Source|Target|Actions)$/;

/**
 * The interfaces that an object calls back: interfaces, and types written as object types,
 *
 * - of which more than half of the members have names like `onMessage`,
 * - or that have methods, and a name that ends with Events, Listener, Handler, Owner, Source, Target or
 *   Actions.
 *
 * Options that a user gives (`…Options`) do not count.
 */
export function callbackInterfaces(file: ts.SourceFile): Found[] {
  const all: Found[] = [];
  const visit = (node: ts.Node): void => {
    const members = membersOf(node);
    if (members !== null && isCallbackInterface(members.name, members.of)) {
      all.push(found(members.name, node));
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return all;
}

function membersOf(node: ts.Node): { name: string; of: readonly ts.TypeElement[] } | null {
  if (ts.isInterfaceDeclaration(node)) return { name: node.name.text, of: node.members };
  if (!ts.isTypeAliasDeclaration(node) || !ts.isTypeLiteralNode(node.type)) return null;
  return { name: node.name.text, of: node.type.members };
}

function isCallbackInterface(name: string, members: readonly ts.TypeElement[]): boolean {
  if (name.endsWith("Options")) return false;
  if (CALLBACK_NAME.test(name) && members.some(isMethod)) return true;
  const called = members.filter((it) => /^on[A-Z]/.test(it.name?.getText() ?? ""));
  return called.length * 2 > members.length;
}

function isMethod(member: ts.TypeElement): boolean {
  return ts.isMethodSignature(member) ||
    ts.isPropertySignature(member) && member.type !== undefined &&
      ts.isFunctionTypeNode(member.type);
}
