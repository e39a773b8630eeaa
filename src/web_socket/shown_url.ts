/** URLs in errors, in logs and in `channel.url`: they may hold secrets. RFC 3986 §7.5. */

import { shown } from "../stream_channel/options.ts";

/**
 * A URL without what may be a secret: the user info and the fragment are left out, and each value of the
 * query is replaced by `…`, as is a part of the query that has no name.
 *
 * @param url The URL.
 * @returns Its scheme, host, path, and the names in its query.
 */
export function shownUrl({ protocol, host, pathname, search }: URL): string {
  return `${protocol}//${host}${pathname}${shownQuery(search)}`;
}

function shownQuery(search: string): string {
  const parts = search.slice(1).split("&").map((part) => {
    // Without a value, what looks like a name may be the secret, such as base64 with `=` at its end.
    const name = /^([^=]*)=+[^=]/.exec(part)?.[1];
    return name === undefined ? part.replace(/.+/, "…") : `${name}=…`;
  });
  return search === "" ? "" : `?${parts.join("&")}`;
}

/**
 * A platform's error, or its text, without the values of the URL's query: Bun's quotes the whole URL.
 *
 * @param cause What the platform reported.
 * @param url The URL that it may quote.
 * @returns The same; where it quotes them, a copy that doesn't.
 */
export function withoutQuery(cause: unknown, { search }: URL): unknown {
  const hide = (text: unknown): string => String(text).replaceAll(search, shownQuery(search));
  if (search.length < 2) return cause;
  if (typeof cause === "string") return hide(cause);
  if (typeof cause !== "object" || cause === null) return cause;
  const { message, name = "Error", stack, code } = cause as Partial<Error> & { code?: unknown };
  if (!`${message}${stack}`.includes(search)) return cause;
  const shown = { name, code, stack: `${name}: ${hide(message)}` };
  return Object.assign(new Error(hide(message)), shown);
}

/**
 * What was given as a URL and is none, as errors show it: nothing in it can be distinguished from a secret but
 * the scheme, where it is one of the expected.
 *
 * @param value What was given.
 */
export function shownText(value: unknown): string {
  if (typeof value !== "string") return shown(value);
  const scheme = /^(wss?|https?):\/\//i.exec(value)?.[0];
  const { length } = value;
  return scheme === undefined
    ? `a text of ${length} characters`
    : `${scheme}… (${length} characters)`;
}
