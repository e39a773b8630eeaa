/** The functions of a source file, and their names. */

import ts from "typescript";

/** The functions that have a body, an outer one before those in it. */
export function functionsOf(file: ts.SourceFile): ts.FunctionLikeDeclaration[] {
  const found: ts.FunctionLikeDeclaration[] = [];
  const visit = (node: ts.Node): void => {
    if (hasBody(node)) found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** Whether it is a function with a body, not only its type. */
export function hasBody(
  node: ts.Node,
): node is ts.FunctionLikeDeclaration & { readonly body: ts.ConciseBody } {
  return ts.isFunctionLike(node) && "body" in node && node.body !== undefined;
}

/** `Class.method`, `function`, or for a closure that has no name what it is in. */
export function nameOf(node: ts.Node): string {
  if (ts.isConstructorDeclaration(node)) return `new ${classOf(node)}`;
  const prefix = classOf(node) === "" ? "" : `${classOf(node)}.`;
  const own = ownName(node);
  if (own !== undefined) return prefix + own.getText();
  for (let it = node.parent; it !== undefined; it = it.parent) {
    if (ts.isPropertyDeclaration(it)) return `${prefix}${it.name.getText()} (closure)`;
    if (ts.isFunctionLike(it)) return `${nameOf(it).replace(/ \(closure\)$/, "")} (closure)`;
  }
  return "(closure)";
}

function ownName(node: ts.Node): ts.Node | undefined {
  const { name } = node as ts.NamedDeclaration;
  if (name !== undefined) return name;
  const { parent } = node;
  const isNamed = ts.isVariableDeclaration(parent) || ts.isPropertyDeclaration(parent) ||
    ts.isPropertyAssignment(parent);
  return isNamed ? parent.name : undefined;
}

/** The name of the class that a member is of; empty for what is no member. */
function classOf(node: ts.Node): string {
  for (let it = node.parent; it !== undefined; it = it.parent) {
    if (ts.isClassLike(it)) return it.name?.text ?? "(class)";
    if (ts.isFunctionLike(it) || ts.isSourceFile(it)) return "";
  }
  return "";
}
