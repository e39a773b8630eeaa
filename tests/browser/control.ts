/**
 * The messages between a page and the process that serves it: JSON over HTTP, one request each.
 */

import type { TestResult } from "./runner.ts";
import type { RecipeEvent, RecipeEventKind } from "../support/recipe_events.ts";
import type { RecipeName, RecipeOptions, RecipeStats } from "../support/recipes.ts";

/** A request of a page. */
export type ControlRequest =
  | { do: "start"; name: RecipeName; options: RecipeOptions }
  | { do: "next"; server: number; kind: RecipeEventKind | null }
  | { do: "queued" | "release" | "stats" | "close"; server: number }
  | { do: "result"; place: Place; result: TestResult }
  | { do: "done"; place: Place };

/** Where the tests run. */
export type Place = "page" | "worker" | "workerd";

/** The answer to a page. */
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

/** Sends a request. It rejects with the other side's error. */
export async function ask<R extends ControlRequest>(
  request: R,
): Promise<ControlResponses[R["do"]]> {
  // In a page the URL is relative to the page; workerd has no page, so its environment has the address.
  const { CONTROL_URL = CONTROL_PATH } = globalThis as { CONTROL_URL?: string };
  const response = await fetch(CONTROL_URL, { method: "POST", body: JSON.stringify(request) });
  const answer = await response.json();
  if (response.ok) return answer;
  throw new Error(answer);
}
