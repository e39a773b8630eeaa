/** A Chromium that tests control by the DevTools protocol alone: its pages can be hidden, frozen and offline. */

import { delay } from "@std/async";
import { WebSocketChannel } from "../../mod.ts";

/** The answer to a command. */
type Answer = Readonly<Record<string, unknown>>;

/** A page of a {@linkcode DevTools} browser. */
export interface Tab {
  /** Sends a command to the page. */
  send(method: string, params?: Answer): Promise<Answer>;
  /** Evaluates an expression and awaits its value. An exception rejects. */
  evaluate(expression: string): Promise<unknown>;
  /** Brings the page to the front, or to the background, where it is hidden. */
  show(isShown: boolean): Promise<void>;
}

/** A browser, and the connection to it. */
export class DevTools {
  readonly #process: Deno.ChildProcess;
  readonly #folder: string;
  readonly #channel: WebSocketChannel;
  readonly #pending = new Map<number, (answer: Answer) => void>();
  #lastId = 0;

  private constructor(process: Deno.ChildProcess, folder: string, channel: WebSocketChannel) {
    this.#process = process;
    this.#folder = folder;
    this.#channel = channel;
    channel.stream.listen((message) => {
      const { id, ...answer } = JSON.parse(message as string);
      this.#pending.get(id)?.(answer);
      this.#pending.delete(id);
    });
  }

  /** Starts a browser without a window. */
  static async start(chromium: string): Promise<DevTools> {
    const folder = await Deno.makeTempDir();
    const process = new Deno.Command(chromium, {
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--remote-debugging-port=0",
        `--user-data-dir=${folder}`,
        "about:blank",
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const port = `${folder}/DevToolsActivePort`;
    for (;;) {
      const [number, path] = (await Deno.readTextFile(port).catch(() => "")).split("\n");
      if (path) {
        const channel = await WebSocketChannel.open(`ws://127.0.0.1:${number}${path}`);
        return new DevTools(process, folder, channel);
      }
      await delay(10);
    }
  }

  async #send(method: string, params: Answer = {}, sessionId?: string): Promise<Answer> {
    const id = ++this.#lastId;
    const answered = new Promise<Answer>((resolve) => this.#pending.set(id, resolve));
    this.#channel.sink.add(JSON.stringify({ id, method, params, sessionId }));
    const { result, error } = await answered;
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result as Answer;
  }

  /** Opens a page in a tab of its own, and waits until an expression is true there. */
  async open(url: string, isReady: string): Promise<Tab> {
    const { targetId } = await this.#send("Target.createTarget", { url });
    const attached = await this.#send("Target.attachToTarget", { targetId, flatten: true });
    const session = attached["sessionId"] as string;
    const send = (method: string, params: Answer = {}): Promise<Answer> =>
      this.#send(method, params, session);
    const evaluate = async (expression: string): Promise<unknown> => {
      const { result, exceptionDetails } = await send("Runtime.evaluate", {
        expression,
        awaitPromise: true,
        returnByValue: true,
      });
      if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
      return (result as Answer)["value"];
    };
    const show = async (isShown: boolean): Promise<void> => {
      if (isShown) return void await this.#send("Target.activateTarget", { targetId });
      await this.#send("Target.createTarget", { url: "about:blank" });
      while (await evaluate("document.visibilityState") !== "hidden") await delay(10);
    };
    while (await evaluate(isReady).catch(() => false) !== true) await delay(10);
    return { send, evaluate, show };
  }

  /** Ends it. */
  async close(): Promise<void> {
    await this.#send("Browser.close").catch(() => {});
    this.#channel.terminate();
    await this.#process.status;
    await Deno.remove(this.#folder, { recursive: true }).catch(() => {});
  }
}
