/** A terminal's screen. It supports the control sequences that `node:readline` uses. */
export function screenOf(output: string): string {
  const lines: string[][] = [[]];
  let row = 0;
  let column = 0;
  // deno-lint-ignore no-control-regex
  for (const [part] of output.matchAll(/\x1b\[[\d;?]*[A-Za-z]|\x1b.|[^]/g)) {
    const line = lines[row] ??= [];
    if (part === "\r") column = 0;
    else if (part === "\n") row++;
    else if (part === "\b") column = Math.max(column - 1, 0);
    else if (part.startsWith("\x1b[")) {
      const count = Number(part.slice(2, -1)) || 0;
      const kind = part.at(-1);
      if (kind === "G") column = Math.max(count, 1) - 1;
      if (kind === "C") column += Math.max(count, 1);
      if (kind === "D") column = Math.max(column - Math.max(count, 1), 0);
      if (kind === "K" && count === 0 || kind === "J") line.splice(column);
      if (kind === "J") lines.splice(row + 1);
    } else if (part >= " ") {
      while (line.length < column) line.push(" ");
      line[column++] = part;
    }
  }
  return lines.map((line) => line.join("").trimEnd()).join("\n");
}
