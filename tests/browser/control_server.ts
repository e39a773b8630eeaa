/**
 * Serves the bundle to a browser, runs recipes for it, and collects the results of its tests. For Deno
 * only.
 */

import { CONTROL_PATH, type ControlRequest, type ControlResponses, type Place } from "./control.ts";
import type { TestResult } from "./runner.ts";
import type { RecipeName, RecipeOptions, RecipeServer } from "../support/recipes.ts";

/** The callbacks for what the browser reports. */
export interface Listener {
  onResult(place: Place, result: TestResult): void;
  onDone(place: Place): void;
}

/** Starts a recipe that a page of an origin requests. */
export type StartRecipe = (
  name: RecipeName,
  options: RecipeOptions,
  origin: string,
) => Promise<RecipeServer>;

const HEADERS = { "Access-Control-Allow-Origin": "*", "Cache-Control": "no-store" };

const PAGES: Partial<Record<Place, string>> = {
  page: `<!doctype html><title>page</title><script type="module" src="/bundle.js"></script>`,
  worker: `<!doctype html><title>worker</title>
<script>new Worker("/bundle.js", { type: "module" });</script>`,
};

/** The process's side of the browser's tests. */
export class ControlServer {
  readonly #bundle: string;
  readonly #listener: Listener;
  readonly #startRecipe: StartRecipe;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #recipes: Map<number, RecipeServer> = new Map();
  #started = 0;

  /**
   * @param bundle The JavaScript with all tests.
   * @param startRecipe Starts the servers that the tests ask for.
   * @param listener Gets the results.
   */
  constructor(bundle: string, startRecipe: StartRecipe, listener: Listener) {
    this.#bundle = bundle;
    this.#startRecipe = startRecipe;
    this.#listener = listener;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#handle(request),
    );
  }

  /** The URL of the page that runs the tests in a place. */
  url(place: Place): string {
    return `${this.#origin}/${place}`;
  }

  /** The URL of the requests, for a place that isn't served. */
  get controlUrl(): string {
    return `${this.#origin}${CONTROL_PATH}`;
  }

  get #origin(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Ends the server and all running recipes. */
  async close(): Promise<void> {
    for (const recipe of this.#recipes.values()) await recipe.close();
    await this.#server.shutdown();
  }

  async #handle(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === CONTROL_PATH) return await this.#control(request);
    const page = PAGES[pathname.slice(1) as Place];
    if (page !== undefined) return respond(page, "text/html");
    if (pathname === "/bundle.js") return respond(this.#bundle, "text/javascript");
    return new Response(null, { status: 404, headers: HEADERS });
  }

  async #control(request: Request): Promise<Response> {
    if (request.method !== "POST") return new Response(null, { headers: HEADERS });
    try {
      const answer = await this.#do(await request.json());
      return Response.json(answer, { headers: HEADERS });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return Response.json(message, { status: 500, headers: HEADERS });
    }
  }

  async #do(request: ControlRequest): Promise<ControlResponses[ControlRequest["do"]]> {
    switch (request.do) {
      case "start": {
        const recipe = await this.#startRecipe(request.name, request.options, this.#origin);
        const server = ++this.#started;
        this.#recipes.set(server, recipe);
        return { server, url: recipe.url };
      }
      case "next": {
        const recipe = this.#recipe(request.server);
        return await (request.kind === null ? recipe.next() : recipe.next(request.kind));
      }
      case "queued":
        return await this.#recipe(request.server).queued();
      case "release":
        this.#recipe(request.server).release();
        return null;
      case "stats":
        return await this.#recipe(request.server).stats();
      case "close":
        await this.#recipe(request.server).close();
        return null;
      case "result":
        this.#listener.onResult(request.place, request.result);
        return null;
      case "done":
        this.#listener.onDone(request.place);
        return null;
    }
  }

  #recipe(server: number): RecipeServer {
    const recipe = this.#recipes.get(server);
    if (recipe === undefined) throw new RangeError(`No such recipe's server: ${server}`);
    return recipe;
  }
}

function respond(body: string, type: string): Response {
  return new Response(body, { headers: { ...HEADERS, "Content-Type": `${type}; charset=utf-8` } });
}
