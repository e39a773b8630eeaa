import { codeOf, messageOf } from "../realm/kinds.ts";
import { printable, printableJson } from "./printable.ts";
import type { Process, WriteStream } from "./process.ts";

/** The colours that are used, as SGR parameters. */
const COLOURS = { dim: "2", red: "31", green: "32", yellow: "33", blue: "34", cyan: "36" } as const;

/** The name of a colour. */
export type Colour = keyof typeof COLOURS;

/** What keeps a line at the bottom of the terminal, such as a prompt. */
export interface BottomLine {
  /** Takes it away. */
  hide(): void;
  /** Shows it again. */
  show(): void;
  /** Takes it away for good, and gives the terminal back as it was. */
  close(): void;
}

/**
 * Prints: results on the standard output, all else on the standard error. What it is given as text must be
 * `printable` where it comes from elsewhere.
 */
export class Printer {
  readonly isJson: boolean;
  readonly #out: WriteStream;
  readonly #error: WriteStream;
  readonly #hasColours: boolean;
  readonly #onBroken: () => void;
  /** Why the standard output can't be written, such as a full disk; empty: it can, or no process reads it any more. */
  fault = "";
  #isBroken = false;
  #isFull = false;
  #waiting: (() => void)[] = [];
  #progress = "";
  #bottom: BottomLine | null = null;

  /**
   * @param process Its streams.
   * @param isJson Whether results are lines of JSON.
   * @param onBroken Called once when the standard output has no reader any more.
   */
  constructor(process: Process, isJson: boolean, onBroken: () => void) {
    this.isJson = isJson;
    this.#out = process.stdout;
    this.#error = process.stderr;
    const { NO_COLOR = "", TERM } = process.env;
    this.#hasColours = process.stdout.isTTY === true && NO_COLOR === "" && TERM !== "dumb" &&
      !isJson;
    this.#onBroken = onBroken;
    this.#out.on("error", (error) => this.#break(error));
    // There is nowhere to report it to.
    this.#error.on("error", () => {});
  }

  /** Whether the standard output is a terminal. */
  get isTerminal(): boolean {
    return this.#out.isTTY === true;
  }

  #break(error: unknown): void {
    if (this.#isBroken) return;
    // A reader that goes away, such as head, has what it wants.
    if (codeOf(error) !== "EPIPE") this.fault = `Cannot print: ${printable(messageOf(error))}`;
    this.#isBroken = true;
    this.#drained();
    this.#onBroken();
  }

  /** Text in a colour, where there are colours. */
  paint(colour: Colour, text: string): string {
    return this.#hasColours ? `\x1b[${COLOURS[colour]}m${text}\x1b[0m` : text;
  }

  /** What is to stay at the bottom of the terminal; `null`: nothing. */
  set bottom(line: BottomLine | null) {
    this.#bottom = line;
  }

  /** A result: as JSON, or as text. */
  result(value: object, text: string | readonly string[]): void {
    if (this.isJson) return this.#write(this.#out, `${printableJson(value)}\n`);
    const lines = typeof text === "string" ? [text] : text;
    if (lines.length > 0) this.#write(this.#out, `${lines.join("\n")}\n`);
  }

  /** A message that is no result: on the standard error; as JSON it is a result. */
  status(value: object, text: string): void {
    if (this.isJson) return this.result(value, text);
    this.#write(this.#error, `${text}\n`);
  }

  /** A line on the standard error, whatever the format. */
  note(text: string): void {
    this.#write(this.#error, `${text}\n`);
  }

  /** Bytes or text as they are. */
  raw(content: string | Uint8Array): void {
    this.#write(this.#out, content);
  }

  #write(stream: WriteStream, content: string | Uint8Array): void {
    if (this.#isBroken && stream === this.#out) return;
    const isShown = this.#progress !== "";
    if (isShown) this.#error.write("\r\x1b[K");
    this.#bottom?.hide();
    const hasRoom = this.#tried(stream, content);
    this.#bottom?.show();
    if (isShown) this.#error.write(this.#progress);
    if (hasRoom || stream !== this.#out || this.#isFull) return;
    this.#isFull = true;
    stream.once("drain", () => this.#drained());
  }

  /** Writes. Deno throws what other runtimes report as an event. */
  #tried(stream: WriteStream, content: string | Uint8Array, callback?: () => void): boolean {
    try {
      return stream.write(content, callback);
    } catch (error) {
      if (stream === this.#out) this.#break(error);
      callback?.();
      return true;
    }
  }

  #drained(): void {
    this.#isFull = false;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Waits until the standard output has room. */
  async room(): Promise<void> {
    if (!this.#isFull || this.#isBroken) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Shows how far long work is, on a terminal only; each call replaces what was shown. */
  progress(text: string): void {
    if (this.#error.isTTY !== true || this.isJson) return;
    // Some terminals say that they have no columns.
    this.#progress = text.slice(0, (this.#error.columns || 80) - 1);
    this.#error.write(`\r\x1b[K${this.#progress}`);
  }

  /** Takes away what {@linkcode progress} shows. */
  endProgress(): void {
    if (this.#progress === "") return;
    this.#progress = "";
    this.#error.write("\r\x1b[K");
  }

  /** Gives the terminal back as it was, before the process ends at once. */
  leaveTerminal(): void {
    this.#bottom?.close();
    this.endProgress();
  }

  /** Waits until all is written. */
  async flush(): Promise<void> {
    this.endProgress();
    for (const stream of [this.#out, this.#error]) {
      if (this.#isBroken && stream === this.#out) continue;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        this.#tried(stream, "", resolve);
      });
    }
  }
}
