/** What cases change of a correct request or answer. */

import type { Parts } from "./server_subject.ts";

/** Changes a correct request or answer. */
export type Edit = (request: Parts) => Parts;

const isNamed = (name: string) => ([it]: readonly [string, string]): boolean =>
  it.toLowerCase() === name.toLowerCase();

/** Removes a field. */
export const without = (name: string): Edit => ({ line, fields }) => ({
  line,
  fields: fields.filter((it) => !isNamed(name)(it)),
});

/** Adds a field at the end. */
export const plus = (name: string, value: string): Edit => ({ line, fields }) => ({
  line,
  fields: [...fields, [name, value]],
});

/** Puts a field where the one of that name is. */
export const field = (name: string, value: string): Edit => ({ line, fields }) => ({
  line,
  fields: fields.map((it) => isNamed(name)(it) ? [it[0], value] : it),
});

/** Changes the first line: `METHOD`, `TARGET` and `VERSION`. */
export const firstLine =
  (change: (method: string, target: string, version: string) => string): Edit =>
  ({ line, fields }) => {
    const [method = "", target = "", version = ""] = line.split(" ");
    return { line: change(method, target, version), fields };
  };

/** One edit after the other. */
export const all = (...edits: readonly Edit[]): Edit => (parts) =>
  edits.reduce((it, edit) => edit(it), parts);

/** Changes nothing. */
export const same: Edit = (parts) => parts;

/** Changes the names of all fields. */
export function renamed(change: (name: string) => string): Edit {
  return ({ line, fields }) => ({
    line,
    fields: fields.map(([name, value]) => [change(name), value] as const),
  });
}
