/** URLs for errors, logs and `channel.url`, without secrets. RFC 3986 §7.5. */

import { shown } from "../stream_channel/options.ts";

/**
 * Returns a URL without possible secrets. The user info and the fragment are left out. Each value of the
 * query is replaced by `…`, and so is a part of the query without a name.
 *
 * @param url The URL.
 * @returns Its scheme, host, path, and the names in its query.
 */
export function shownUrl({ protocol, host, pathname, search }: URL): string {
  return `${protocol}//${host}${pathname}${shownQuery(search)}`;
}

function shownQuery(search: string): string {
  const parts = search.slice(1).split("&").map((part) => {
    // Without a value, the name may be the secret, such as base64 with `=` at its end.
    const name = /^([^=]*)=+[^=]/.exec(part)?.[1];
    return name === undefined ? part.replace(/.+/, "…") : `${name}=…`;
  });
  return search === "" ? "" : `?${parts.join("&")}`;
}

/**
 * Returns a platform's error, or its text, without the values of the URL's query: Bun's error quotes the
 * whole URL.
 *
 * @param cause The platform's error or text.
 * @param url The URL that it may quote.
 * @returns The same object, or a copy without the values if it quotes them.
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
 * Returns a description of a malformed URL for errors. Only a known scheme is shown: anything else may be a
 * secret.
 *
 * @param value The user's value.
 */
export function shownText(value: unknown): string {
  if (typeof value !== "string") return shown(value);
  const scheme = /^(wss?|https?):\/\//i.exec(value)?.[0];
  const { length } = value;
  return scheme === undefined
    ? `a text of ${length} characters`
    : `${scheme}… (${length} characters)`;
}
