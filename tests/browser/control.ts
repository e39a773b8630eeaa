/**
 * What a page and the process that serves it say to each other: JSON over HTTP, a request each.
 */

import type { TestResult } from "./runner.ts";
import type { RecipeEvent, RecipeEventKind } from "../support/recipe_events.ts";
import type { RecipeName, RecipeOptions, RecipeStats } from "../support/recipes.ts";

/** What a page asks for. */
export type ControlRequest =
  | { do: "start"; name: RecipeName; options: RecipeOptions }
  | { do: "next"; server: number; kind: RecipeEventKind | null }
  | { do: "queued" | "release" | "stats" | "close"; server: number }
  | { do: "result"; place: Place; result: TestResult }
  | { do: "done"; place: Place };

/** Where the tests run. */
export type Place = "page" | "worker" | "workerd";

/** What it gets. */
export interface ControlResponses {
  start: { server: number; url: string };
  next: RecipeEvent;
  queued: RecipeEvent[];
  release: null;
  stats: RecipeStats;
  close: null;
  result: null;
  done: null;
}

/** The path of the requests. */
export const CONTROL_PATH = "/control";

/** Asks; rejects with what the other side rejected with. */
export async function ask<R extends ControlRequest>(
  request: R,
): Promise<ControlResponses[R["do"]]> {
  // A page's own address makes it whole; workerd has none, so its environment has the address.
  const { CONTROL_URL = CONTROL_PATH } = globalThis as { CONTROL_URL?: string };
  const response = await fetch(CONTROL_URL, { method: "POST", body: JSON.stringify(request) });
  const answer = await response.json();
  if (response.ok) return answer;
  throw new Error(answer);
}
