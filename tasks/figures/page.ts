/** Whether a page names the steps of a message's way. */

import type { Way } from "./message_way.ts";

/**
 * The steps that a page doesn't name, in the order in which they are made: each in backticks, behind the
 * one before.
 *
 * @param page The page, from where it reports this way.
 * @param way The steps.
 */
export function unnamed(page: string, { steps }: Pick<Way, "steps">): string[] {
  const missing: string[] = [];
  let at = 0;
  for (const { name } of steps) {
    const found = page.indexOf(`\`${name}\``, at);
    if (found < 0) missing.push(name);
    else at = found;
  }
  return missing;
}
