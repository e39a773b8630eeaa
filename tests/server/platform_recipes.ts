/**
 * Recipes over whole servers: `WebSocketServer`, and the upgrades of `Deno.serve` and `Bun.serve`. A recipe
 * reports the TCP events that its channel reports.
 */

import {
  bunWebSocket,
  type ServerOptions,
  type ServerWebSocketChannel,
  upgradeWebSocket,
  WebSocketServer,
} from "../../src/server/mod.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { LoopbackProbe } from "../support/loopback_probe.ts";
import type { RecipeHost } from "../support/recipe_connection.ts";
import { type RecipeEvent, type RecipeEventKind, RecipeEvents } from "../support/recipe_events.ts";
import {
  type RecipeName,
  type RecipeOptions,
  type RecipeServer,
  type RecipeStats,
  startRecipe,
} from "../support/recipes.ts";
import { reportClose, serverOptions, type ServerRecipe, serverRecipes } from "./server_recipes.ts";
import { type PlatformServer, serveBun, serveDeno } from "./platform_servers.ts";

type Upgraded = { response: Response | undefined; channel: ServerWebSocketChannel | null };
type Accept = (upgrade: () => Promise<Upgraded>, request: Request) => Promise<Response | undefined>;

/** The kind of server: the platform's own, or ours. */
type ServerKind = "platform" | "bound";

class WholeRecipeServer implements RecipeServer, RecipeHost {
  readonly options: RecipeOptions;
  readonly #name: RecipeName;
  readonly #recipe: ServerRecipe;
  readonly #more: ServerOptions;
  readonly #events = new RecipeEvents();
  readonly #probe = new LoopbackProbe();
  readonly #channels: Set<ServerWebSocketChannel> = new Set();
  #server: PlatformServer | undefined;
  #permits = 0;
  #waiting: (() => void)[] = [];
  #connections = 0;

  constructor(
    name: RecipeName,
    recipe: ServerRecipe,
    { options, more }: { options: RecipeOptions; more: ServerOptions },
  ) {
    this.#name = name;
    this.#recipe = recipe;
    this.#more = more;
    this.options = options;
  }

  async start(kind: ServerKind): Promise<this> {
    if (kind === "bound") this.#server = await this.#serveBound();
    else this.#server = platform() === "deno" ? this.#serveDeno() : this.#serveBun();
    return this;
  }

  #serverOptions(): ServerOptions {
    const options = serverOptions(this.#name, this.options, () => this.released());
    return { ...options, closeTimeout: 500, ...this.#more };
  }

  #platformOptions(): Omit<ServerOptions, "compression"> {
    const { compression: _, ...options } = this.#serverOptions();
    return options;
  }

  async #serveBound(): Promise<PlatformServer> {
    const { verify = () => true, ...options } = this.#serverOptions();
    const server = await WebSocketServer.bind({
      ...options,
      verify: (request) => {
        const { pathname, search } = request.url;
        this.#onRequest(pathname + search, request.headers);
        request.signal.addEventListener("abort", () => this.report({ kind: "disconnect" }));
        return verify(request);
      },
    });
    void (async () => {
      for await (const channel of server) this.#serve(channel);
    })();
    return { port: server.address.port, stop: () => server.close({ drainTimeout: 0 }) };
  }

  #serveDeno(): PlatformServer {
    const accept = this.#accept();
    const options = this.#platformOptions();
    return serveDeno(async (request, info) =>
      await accept(() => upgradeWebSocket(request, { ...options, info }), request) as Response
    );
  }

  #serveBun(): PlatformServer {
    const accept = this.#accept();
    const { upgrade, websocket } = bunWebSocket(this.#platformOptions());
    return serveBun(
      (request, server) => accept(() => upgrade(request, server), request),
      websocket,
    );
  }

  #accept(): Accept {
    return async (upgrade, request) => {
      const { pathname, search } = new URL(request.url);
      this.#onRequest(pathname + search, request.headers);
      const { response, channel } = await upgrade();
      if (channel !== null) this.#serve(channel);
      return response;
    };
  }

  #onRequest(path: string, headers: Headers): void {
    this.#connections++;
    const lines = [...headers];
    this.report({
      kind: "request",
      method: "GET",
      path,
      headers: Object.fromEntries(lines),
      lines,
    });
  }

  #serve(channel: ServerWebSocketChannel): void {
    this.#channels.add(channel);
    channel.closed.then(() => {
      this.#channels.delete(channel);
      this.report({ kind: "end" });
      this.report({ kind: "disconnect" });
    });
    void reportClose(channel, this);
    void this.#recipe(channel, this);
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#server?.port}`;
  }

  report(event: RecipeEvent): void {
    if (event.kind !== "message" || this.options.quiet !== true) this.#events.push(event);
  }

  released(): Promise<void> {
    if (this.#permits === 0) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#permits--;
    return Promise.resolve();
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#permits++;
    else next();
  }

  // The overloads of the interface narrow what `kind` selects at run time.
  // deno-lint-ignore no-explicit-any
  next(kind?: RecipeEventKind): Promise<any> {
    return this.#events.next(kind);
  }

  queued(): Promise<RecipeEvent[]> {
    return Promise.resolve(this.#events.queued());
  }

  async stats(): Promise<RecipeStats> {
    await this.#probe.roundTrip();
    const open = this.#channels.size;
    const unknown = { bytesSent: 0, bytesPending: 0, bytesReceived: 0 };
    return { ...unknown, connections: this.#connections, open };
  }

  async close(): Promise<void> {
    this.#events.end();
    await this.#probe.close();
    for (const waiting of this.#waiting.splice(0)) waiting();
    const channels = [...this.#channels];
    for (const channel of channels) channel.terminate();
    await Promise.all(channels.map((channel) => channel.closed));
    await this.#server?.stop(true);
  }
}

/** Starts a recipe on the platform's own server, if that server can follow it. */
export function startPlatformRecipe(
  name: RecipeName,
  options: RecipeOptions = {},
): Promise<RecipeServer> {
  const recipe = serverRecipes[name];
  if (recipe === undefined) return startRecipe(name, options);
  return new WholeRecipeServer(name, recipe, { options, more: {} }).start("platform");
}

/** Starts a recipe on `WebSocketServer` with further options, if that server can follow it. */
export function startBoundRecipe(
  name: RecipeName,
  options: RecipeOptions = {},
  more: ServerOptions = {},
): Promise<RecipeServer> {
  const recipe = serverRecipes[name];
  if (recipe === undefined) return startRecipe(name, options);
  return new WholeRecipeServer(name, recipe, { options, more }).start("bound");
}
