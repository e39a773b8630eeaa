/** URLs in errors, in logs and in `channel.url`: they may hold secrets. RFC 3986 §7.5. */

/**
 * A URL without what may be a secret: the user info and the fragment are left out, and each value of the
 * query is replaced by `…`, as is a part of the query that has no name.
 *
 * @param url The URL.
 * @returns Its scheme, host, path, and the names in its query.
 */
export function shownUrl({ protocol, host, pathname, search }: URL): string {
  const query = search.replace(
    /[^?&=][^&=]*(?=&|$)|=[^&]*/g,
    (part) => part[0] === "=" ? "=…" : "…",
  );
  return `${protocol}//${host}${pathname}${query}`;
}

/**
 * A text that is no URL, as errors show it: short, and without what may be a secret.
 *
 * @param value What was given as a URL.
 */
export function shownText(value: unknown): string {
  const text = String(value);
  // User info can't be told from the rest in a text that isn't a URL.
  const end = text.includes("@") ? /^(\w+:\/*)?/.exec(text)?.[0].length : text.search(/[?#]|$/);
  const short = text.slice(0, Math.min(end ?? 0, 100));
  // deno-lint-ignore no-control-regex -- they would break the log's line
  return (short.length < text.length ? `${short}…` : text).replace(/[\0-\x1f\x7f]/g, "�");
}
