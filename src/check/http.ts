/** The part of RFC 9112 that opening handshakes need: heads as they are on the wire. */

/** A head: its first line, and its fields in their order, names in lower case. */
export interface Head {
  readonly line: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/** Parses the head of a request or an answer. */
export function parseHead(text: string): Head {
  const [line = "", ...lines] = text.split("\r\n").filter((it) => it !== "");
  const fields = lines.map((it) => {
    const colon = it.indexOf(":");
    return [it.slice(0, colon).toLowerCase(), it.slice(colon + 1).trim()] as const;
  });
  return { line, fields };
}

/** All values of a field, separated by commas; `null` when there is none. */
export function fieldOf({ fields }: Head, name: string): string | null {
  const values = fields.filter(([it]) => it === name).map(([, value]) => value);
  return values.length === 0 ? null : values.join(", ");
}

/** Whether a list field has a token, in any letter case. */
export function hasToken(head: Head, name: string, token: string): boolean {
  const value = fieldOf(head, name) ?? "";
  return value.toLowerCase().split(",").some((it) => it.trim() === token);
}

/** The status code of an answer; 0 when it is no answer. */
export function statusOf({ line }: Head): number {
  return Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(line)?.[1] ?? 0);
}

/** An extension with its parameters. */
export interface Extension {
  readonly name: string;
  readonly parameters: ReadonlyMap<string, string | null>;
}

/** RFC 6455 §9.1: the extensions of a Sec-WebSocket-Extensions field. */
export function parseExtensions(value: string | null): Extension[] {
  if (value === null) return [];
  return value.split(",").map((it) => {
    const [name = "", ...rest] = it.split(";").map((part) => part.trim());
    const parameters = rest.map((part) => {
      const [key = "", quoted] = part.split("=").map((side) => side.trim());
      return [key, quoted?.replace(/^"(.*)"$/, "$1") ?? null] as const;
    });
    return { name, parameters: new Map(parameters) };
  });
}
