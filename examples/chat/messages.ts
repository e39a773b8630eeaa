// What the chat's page and its server say to each other: one JSON text a message.

/** Something that was said. */
export interface Said {
  /** No other thing that was said has it: who sees one twice knows. */
  readonly id: string;
  readonly from: string;
  readonly text: string;
  /** When, in milliseconds since 1970. */
  readonly at: number;
}

/** What the server says. */
export type FromServer =
  | { readonly kind: "welcome"; readonly name: string; readonly history: readonly Said[] }
  | { readonly kind: "said"; readonly said: Said }
  | { readonly kind: "people"; readonly names: readonly string[] }
  | { readonly kind: "typing"; readonly name: string; readonly is: boolean };

/** What a page says. */
export type FromPage =
  | { readonly kind: "say"; readonly text: string }
  | { readonly kind: "typing"; readonly is: boolean };

/** The longest text that may be said, in UTF-16 code units. */
export const MAX_TEXT = 1000;

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
  const { kind, text, is } = value as Record<string, unknown>;
  if (kind === "say" && typeof text === "string" && text !== "" && text.length <= MAX_TEXT) {
    return { kind, text };
  }
  return kind === "typing" && typeof is === "boolean" ? { kind, is } : null;
}
