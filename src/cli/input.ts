import type { BottomLine, Printer } from "./printer.ts";
import { module, type Process, type ReadStream } from "./process.ts";

/** Lines that are typed, or that come from a pipe. */
export interface Lines {
  /** Calls back with each line; give it before anything else. */
  start(events: { onLine(line: string): void; onEnd(): void; onFault(text: string): void }): void;
  /** Stops reading for a while. */
  pause(): void;
  /** Reads on. */
  resume(): void;
  /** Ends. */
  close(): void;
}

/**
 * The lines of the standard input. On a terminal they can be edited, and the prompt stays below what is printed.
 *
 * @param limit How many bytes a line of a pipe may have.
 * @param interrupt Called for each Ctrl-C on a terminal, where it is a key.
 */
export function linesOf(
  process: Process,
  printer: Printer,
  limit: number,
  interrupt: () => void,
): Lines {
  const { stdin, stdout } = process;
  const isTerminal = stdin.isTTY === true && stdout.isTTY === true && !printer.isJson;
  return isTerminal ? new TypedLines(process, printer, interrupt) : new PipedLines(stdin, limit);
}

/** Lines of a terminal. */
class TypedLines implements Lines, BottomLine {
  readonly #process: Process;
  readonly #printer: Printer;
  readonly #interrupt: () => void;
  #editor: ReturnType<ReturnType<typeof module<"readline">>["createInterface"]> | null = null;

  constructor(process: Process, printer: Printer, interrupt: () => void) {
    this.#process = process;
    this.#printer = printer;
    this.#interrupt = interrupt;
  }

  start({ onLine, onEnd }: { onLine(line: string): void; onEnd(): void }): void {
    const { stdin, stdout } = this.#process;
    const editor = this.#editor = module("readline").createInterface({
      input: stdin,
      output: stdout,
      terminal: true,
      prompt: "> ",
      historySize: 100,
    });
    this.#printer.bottom = this;
    editor.on("line", (line) => {
      onLine(line);
      this.show();
    });
    // Ctrl-D, and the end of the terminal.
    editor.on("close", () => {
      if (this.#editor === null) return;
      this.close();
      onEnd();
    });
    // In this mode Ctrl-C is a key.
    editor.on("SIGINT", this.#interrupt);
    editor.prompt();
  }

  hide(): void {
    if (this.#editor !== null) this.#process.stdout.write("\r\x1b[K");
  }

  show(): void {
    this.#editor?.prompt(true);
  }

  pause(): void {}

  resume(): void {}

  close(): void {
    const editor = this.#editor;
    if (editor === null) return;
    this.#editor = null;
    this.#printer.bottom = null;
    this.#process.stdout.write("\r\x1b[K");
    editor.close();
  }
}

/** Lines of a pipe or a file. */
class PipedLines implements Lines {
  readonly #input: ReadStream;
  readonly #limit: number;
  #isOver = false;

  constructor(input: ReadStream, limit: number) {
    this.#input = input;
    this.#limit = limit;
  }

  start(
    { onLine, onEnd, onFault }: {
      onLine(line: string): void;
      onEnd(): void;
      onFault(text: string): void;
    },
  ): void {
    const splitter = new LineSplitter(this.#limit, onLine);
    const end = (): void => {
      if (this.#isOver) return;
      this.#isOver = true;
      splitter.end();
      onEnd();
    };
    this.#input.on("data", (chunk) => {
      if (this.#isOver || splitter.push(chunk)) return;
      this.#isOver = true;
      this.#input.pause();
      onFault(`Cannot read a line of the input: it is longer than ${this.#limit} bytes`);
    });
    // The standard input may be closed from the beginning.
    this.#input.on("end", end);
    this.#input.on("close", end);
    this.#input.on("error", end);
    this.#input.resume();
  }

  pause(): void {
    this.#input.pause();
  }

  resume(): void {
    if (!this.#isOver) this.#input.resume();
  }

  close(): void {
    this.#isOver = true;
    this.#input.pause();
    this.#input.unref?.();
  }
}

/** Splits bytes into lines, without their ends. It keeps no more than one line. */
export class LineSplitter {
  readonly #limit: number;
  readonly #onLine: (line: string) => void;
  #parts: Uint8Array[] = [];
  #size = 0;

  /**
   * @param limit How many bytes a line may have.
   * @param onLine Gets each line.
   */
  constructor(limit: number, onLine: (line: string) => void) {
    this.#limit = limit;
    this.#onLine = onLine;
  }

  /** Takes the next bytes. `false`: a line is too long. */
  push(chunk: Uint8Array): boolean {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(10, start);
      const part = chunk.subarray(start, end < 0 ? chunk.length : end);
      this.#size += part.length;
      if (this.#size > this.#limit) return false;
      if (part.length > 0) this.#parts.push(end < 0 ? part.slice() : part);
      if (end < 0) return true;
      this.#flush();
      start = end + 1;
    }
  }

  /** The last line may have no end. */
  end(): void {
    if (this.#size > 0) this.#flush();
  }

  #flush(): void {
    const bytes = new Uint8Array(this.#size);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#size = 0;
    const isCr = bytes.at(-1) === 13;
    this.#onLine(new TextDecoder().decode(isCr ? bytes.subarray(0, -1) : bytes));
  }
}
