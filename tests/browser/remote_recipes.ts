/**
 * Recipes for a page: the servers run in the process that serves the page. In a browser's bundle this
 * module replaces tests/support/recipes.ts.
 */

import { ask } from "./control.ts";
import type { RecipeEvent, RecipeEventKind } from "../support/recipe_events.ts";
import type { RecipeName, RecipeOptions, RecipeServer, RecipeStats } from "../support/recipes.ts";

export type * from "../support/recipe_events.ts";
export type * from "../support/recipes.ts";
export { statsWhenIdle } from "../support/recipe_stats.ts";

class RemoteRecipe implements RecipeServer {
  readonly url: string;
  readonly #server: number;
  #released: Promise<unknown> = Promise.resolve();

  constructor(server: number, url: string) {
    this.#server = server;
    this.url = url;
  }

  // The overloads of the interface narrow what `kind` selects at run time.
  // deno-lint-ignore no-explicit-any
  next(kind?: RecipeEventKind): Promise<any> {
    const event = this.#ask(() => ask({ do: "next", server: this.#server, kind: kind ?? null }));
    // A test that has already failed leaves such promises behind: only its own failure matters.
    event.catch(() => {});
    return event;
  }

  queued(): Promise<RecipeEvent[]> {
    return this.#ask(() => ask({ do: "queued", server: this.#server }));
  }

  release(): void {
    this.#released = ask({ do: "release", server: this.#server });
  }

  stats(): Promise<RecipeStats> {
    return this.#ask(() => ask({ do: "stats", server: this.#server }));
  }

  async close(): Promise<void> {
    await this.#ask(() => ask({ do: "close", server: this.#server }));
  }

  /** Orders requests, so that a request after a release sees its effect. */
  async #ask<T>(request: () => Promise<T>): Promise<T> {
    await this.#released;
    return await request();
  }
}

/** Starts a server in the process that serves the page. */
export async function startRecipe(
  name: RecipeName,
  options: RecipeOptions = {},
): Promise<RecipeServer> {
  const { server, url } = await ask({ do: "start", name, options });
  return new RemoteRecipe(server, url);
}

/** Runs a body against a recipe, and ends the recipe's server, even if the body throws. */
export async function withRecipe(
  name: RecipeName,
  options: RecipeOptions,
  body: (server: RecipeServer) => Promise<void>,
): Promise<void> {
  const server = await startRecipe(name, options);
  try {
    await body(server);
  } finally {
    await server.close();
  }
}
