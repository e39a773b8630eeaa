/** The project's addresses on the web, defined only here. The publishing workflow compares them with its own. */

/** The repository. */
export const REPOSITORY = "https://github.com/web-socket/channel";

/** The documentation's site, which GitHub Pages serves. */
export const SITE = "https://web-socket.github.io/channel/";

/**
 * A page with absolute links to the repository, in place of those that lead to files beside it.
 *
 * @param text The page, in Markdown.
 * @param path Where the page is, from the repository's root.
 * @param ref The tag or branch that the links lead to.
 */
export function withAbsoluteLinks(text: string, path: string, ref: string): string {
  const root = "file:///";
  return text.replace(/(!?\[[^\]]*\]\()(?![a-z]+:|#)([^)\s]+)(?=\))/g, (_, before, link) => {
    const { pathname, hash } = new URL(link, root + path);
    const kind = before.startsWith("!") ? "raw" : pathname.endsWith("/") ? "tree" : "blob";
    return `${before}${REPOSITORY}/${kind}/${ref}${pathname.replace(/\/$/, "")}${hash}`;
  });
}
