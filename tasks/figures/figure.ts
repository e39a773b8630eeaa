/** Figures, their budgets, and the table of them. */

/** Something that is counted. */
export interface Figure {
  /** Where it is counted, such as `src/net`. */
  readonly where: string;
  /** What is counted, such as `lines`. */
  readonly what: string;
  readonly now: number;
  /** The maximum; `null` if there is none, which is an error. */
  readonly budget: number | null;
  /** The goal of the budget. */
  readonly goal?: number;
}

/** The size of a folder, or its budget. */
export interface Size {
  readonly files: number;
  readonly lines: number;
}

/** Sizes by folder: `src/net`, or `src` for the files that are in no folder of it. */
export type Rooms = Readonly<Record<string, Size>>;

/** The sizes of the folders of src/. Lines are counted as they are, comments and blank ones included. */
export function roomsOf(files: readonly { path: string; text: string }[]): Rooms {
  const rooms: Record<string, { files: number; lines: number }> = {};
  for (const { path, text } of files) {
    const [, room] = /^(src(?:\/[^/]+(?=\/))?)\//.exec(path) ?? [];
    if (room === undefined) continue;
    const size = rooms[room] ??= { files: 0, lines: 0 };
    size.files++;
    size.lines += text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  }
  return rooms;
}

/** The sum of several folders' sizes. */
export function sumOf(sizes: readonly Size[]): Size {
  return {
    files: sizes.reduce((sum, it) => sum + it.files, 0),
    lines: sizes.reduce((sum, it) => sum + it.lines, 0),
  };
}

/** The two figures of a size. */
export function sizeFigures(where: string, now: Size, budget?: Size, goal?: Size): Figure[] {
  return (["files", "lines"] as const).map((what) => ({
    where,
    what,
    now: now[what],
    budget: budget?.[what] ?? null,
    ...(goal === undefined ? {} : { goal: goal[what] }),
  }));
}

/** The faults: figures above their budget or without one, and budgets of folders that do not exist. */
export function faultsOf(figures: readonly Figure[]): string[] {
  const faults: string[] = [];
  for (const { where, what, now, budget } of figures) {
    if (budget === null) faults.push(`${where}: ${what} ${now}, without a budget`);
    else if (now > budget) faults.push(`${where}: ${what} ${now}, above the budget of ${budget}`);
    else if (what === "files" && now === 0) faults.push(`${where}: a budget, but no such folder`);
  }
  return faults;
}

/** The figures as a table. A goal is shown as long as the budget is above it. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = [["", "", "now", "budget", "goal"]];
  let above = "";
  for (const { where, what, now, budget, goal } of figures) {
    const isReached = goal === undefined || budget !== null && budget <= goal;
    const numbers = [now, budget ?? "none", isReached ? "" : goal].map(String);
    rows.push([where === above ? "" : where, what, ...numbers]);
    above = where;
  }
  const width = (column: number): number =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const widths = [0, 1, 2, 3, 4].map(width);
  const cell = (text: string, column: number): string =>
    column < 2 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}
