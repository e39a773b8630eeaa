// The messages between the chat's page and its server, each one a JSON text.

/** A line of the chat. */
export interface Said {
  /** The page has chosen it. When the page sends the line again, for lack of an answer, the id is the same. */
  readonly id: string;
  readonly from: string;
  readonly text: string;
  /** The time, in milliseconds since 1970. */
  readonly at: number;
}

/** A message of the server. */
export type FromServer =
  | { readonly kind: "welcome"; readonly name: string }
  /** The next connection continues after the offset. */
  | { readonly kind: "said"; readonly offset: string; readonly said: Said }
  /** The page must clear its lines, because the next ones do not continue them. */
  | { readonly kind: "resync" }
  | { readonly kind: "people"; readonly names: readonly string[] }
  | { readonly kind: "typing"; readonly name: string; readonly is: boolean };

/** A message of a page. */
export type FromPage =
  | { readonly kind: "say"; readonly id: string; readonly text: string }
  | { readonly kind: "typing"; readonly is: boolean };

/** The maximum length of a text, in UTF-16 code units. */
export const MAX_TEXT = 1000;

/** The name that a page had before and asks for again, or a new name if that one is malformed. */
export function guestName(wanted: string | null): string {
  if (wanted !== null && /^guest-[0-9a-f]{8}$/.test(wanted)) return wanted;
  return `guest-${crypto.randomUUID().slice(0, 8)}`;
}

/** Checks the message of a page, because any client can connect and send anything. `null` if it is malformed. */
export function parseFromPage(message: string | Uint8Array): FromPage | null {
  if (typeof message !== "string") return null;
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { kind, id, text, is } = value as Record<string, unknown>;
  const isText = typeof text === "string" && text !== "" && text.length <= MAX_TEXT;
  if (kind === "say" && isText && typeof id === "string" && /^[\w-]{1,64}$/.test(id)) {
    return { kind, id, text };
  }
  return kind === "typing" && typeof is === "boolean" ? { kind, is } : null;
}
