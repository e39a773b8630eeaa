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

const MAX_LINE = 300;
const MAX_FIELDS = 100;

/** Fields whose values are secrets, or may be. */
const SECRET =
  /^(?:(?:proxy-)?authorization|(?:set-)?cookie|(?!sec-websocket-).*(?:token|secret|api-?key|password|credential|session).*)$/;

/**
 * Adds a head to a transcript, without secrets, and shortened: a peer may send 64 KiB in each case.
 *
 * @param transcript The transcript.
 * @param mark Who sends it: `>` is the check.
 * @param text The head as it is on the wire.
 * @param secrets Names of more fields with secrets, in lower case.
 */
export function logHead(
  transcript: string[],
  mark: "<" | ">",
  text: string,
  secrets: ReadonlySet<string> = new Set(),
): void {
  const [first = "", ...fields] = text.split("\r\n").filter((it) => it !== "");
  const lines = [withoutQuery(first)];
  for (const field of fields.slice(0, MAX_FIELDS)) {
    const colon = field.indexOf(":");
    const name = field.slice(0, colon).trim().toLowerCase();
    const isSecret = colon > 0 && (SECRET.test(name) || secrets.has(name));
    lines.push(isSecret ? `${field.slice(0, colon)}: …` : withoutQuery(field));
  }
  if (fields.length > MAX_FIELDS) lines.push(`… ${fields.length} fields in all`);
  transcript.push(...lines.map((it) => `${mark} ${shortened(it, MAX_LINE)}`));
}

/** Hides the query of a request's target, and of the URL in a Location field. */
function withoutQuery(line: string): string {
  return line.replace(/^(\S+ |location:\s*)([^\s?]*)\?\S*/i, "$1$2?…");
}

/** The beginning of a text, if it is longer than a limit. */
export function shortened(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, limit)}… (${text.length} characters)` : text;
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
