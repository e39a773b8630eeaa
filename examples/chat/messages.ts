// What the chat's page and its server say to each other: one JSON text a message.

/** Something that was said. */
export interface Said {
  /** The page has chosen it: what is said once more, because no answer came, has the same. */
  readonly id: string;
  readonly from: string;
  readonly text: string;
  /** When, in milliseconds since 1970. */
  readonly at: number;
}

/** What the server says. */
export type FromServer =
  | { readonly kind: "welcome"; readonly name: string }
  /** The offset is for the next connection, which continues behind it. */
  | { readonly kind: "said"; readonly offset: string; readonly said: Said }
  /** What follows doesn't continue what the page has: it shows only that. */
  | { readonly kind: "resync" }
  | { readonly kind: "people"; readonly names: readonly string[] }
  | { readonly kind: "typing"; readonly name: string; readonly is: boolean };

/** What a page says. */
export type FromPage =
  | { readonly kind: "say"; readonly id: string; readonly text: string }
  | { readonly kind: "typing"; readonly is: boolean };

/** The longest text that may be said, in UTF-16 code units. */
export const MAX_TEXT = 1000;

/** The name that a page asks for, because it had it before; a new one when it makes no sense. */
export function guestName(wanted: string | null): string {
  if (wanted !== null && /^guest-[0-9a-f]{8}$/.test(wanted)) return wanted;
  return `guest-${crypto.randomUUID().slice(0, 8)}`;
}

/** What a page said, checked: anybody can connect, and say anything. `null` when it makes no sense. */
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
