/** Line charts as SVG: one panel or several beside each other on a white card, with one legend. */

/** A curve. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** How an axis is divided. */
export interface Axis {
  readonly label: string;
  readonly scale: "log" | "linear";
  /** The text of a tick. */
  readonly text?: (value: number) => string;
  /** The ticks, if the default ticks don't fit. */
  readonly ticks?: readonly number[];
}

/** A chart with axes. */
export interface Panel {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

/** The content of a picture. */
export interface Picture {
  readonly title: string;
  readonly subtitle: string;
  readonly panels: readonly Panel[];
  /** The number of panels in a row. */
  readonly columns: number;
}

const WIDTH = 300;
const HEIGHT = 210;
const MARGIN = { left: 62, right: 18, top: 34, bottom: 46 } as const;
const HEAD = 58;
/** The space for a title. */
const LEAST_WIDTH = 560;
const LEGEND_LINE = 20;

/** Colours that also differ in lightness, so that readers can distinguish them without hue. */
const COLOURS: readonly (readonly [name: RegExp, colour: string, dash: string])[] = [
  [/^ours/, "#c1272d", ""],
  [/^global/, "#e69f00", ""],
  [/^ws/, "#1f5fa8", ""],
  [/^raw|^bare/, "#777777", "5 3"],
  [/^undici|^Bun|^Deno/, "#2e8b57", ""],
  [/./, "#8e5ea2", ""],
];

function styleOf(name: string): { colour: string; dash: string } {
  const [, colour, dash] = COLOURS.find(([pattern]) => pattern.test(name)) ?? ["", "#000000", ""];
  // Different dashes distinguish two curves of one colour.
  return { colour, dash: /resident|mask|, server/.test(name) ? "2 3" : dash };
}

/** Draws a picture. */
export function draw({ title, subtitle, panels, columns }: Picture): string {
  const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => name)))];
  const across = Math.min(columns, panels.length);
  const width = Math.max(across * (MARGIN.left + WIDTH + MARGIN.right) + 16, LEAST_WIDTH);
  const perPanel = MARGIN.top + HEIGHT + MARGIN.bottom;
  const down = Math.ceil(panels.length / across);
  const legend = legendOf(names, width);
  const height = HEAD + down * perPanel + legend.height + 14;
  const parts = panels.map((panel, i) => {
    const x = 8 + i % across * (MARGIN.left + WIDTH + MARGIN.right) + MARGIN.left;
    const y = HEAD + Math.floor(i / across) * perPanel + MARGIN.top;
    return `<g transform="translate(${x} ${y})">${panelOf(panel)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" ` +
    `height="${height}" font-family="system-ui, sans-serif" font-size="11" fill="#222222" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${
      height - 1
    }" rx="8" fill="#ffffff" stroke="#d0d0d0"/>`,
    `<text x="20" y="27" font-size="16" font-weight="600">${escaped(title)}</text>`,
    `<text x="20" y="46" fill="#555555">${escaped(subtitle)}</text>`,
    ...parts,
    `<g transform="translate(20 ${HEAD + down * perPanel + 6})">${legend.text}</g>`,
    "</svg>\n",
  ].join("\n");
}

function legendOf(names: readonly string[], width: number): { text: string; height: number } {
  let x = 0;
  let y = 0;
  const parts = names.map((name) => {
    const length = 44 + name.length * 6.2;
    if (x + length > width - 40) [x, y] = [0, y + LEGEND_LINE];
    const { colour, dash } = styleOf(name);
    const part =
      `<line x1="${x}" x2="${x + 22}" y1="${y + 6}" y2="${
        y + 6
      }" stroke="${colour}" stroke-width="2.5" stroke-dasharray="${dash}"/>` +
      `<text x="${x + 28}" y="${y + 10}">${escaped(name)}</text>`;
    x += length;
    return part;
  });
  return { text: parts.join("\n"), height: y + LEGEND_LINE };
}

function panelOf({ title, x, y, series }: Panel): string {
  const points = series.flatMap((it) => it.points);
  const across = scaleOf(x, points.map(([value]) => value), WIDTH);
  const up = scaleOf(y, points.map(([, value]) => value), HEIGHT);
  const grid = [
    ...across.ticks.map((tick) => {
      const at = round(across.place(tick));
      return `<line x1="${at}" x2="${at}" y1="0" y2="${HEIGHT}" stroke="#eeeeee"/>` +
        `<text x="${at}" y="${HEIGHT + 15}" text-anchor="middle">${text(x, tick)}</text>`;
    }),
    ...up.ticks.map((tick) => {
      const at = round(HEIGHT - up.place(tick));
      return `<line x1="0" x2="${WIDTH}" y1="${at}" y2="${at}" stroke="#e2e2e2"/>` +
        `<text x="-7" y="${round(at + 4)}" text-anchor="end">${text(y, tick)}</text>`;
    }),
  ];
  const curves = series.map(({ name, points }) => {
    const { colour, dash } = styleOf(name);
    const path = points.map(([a, b]) => `${round(across.place(a))},${round(HEIGHT - up.place(b))}`);
    const dots = path.map((at) => {
      const [cx, cy] = at.split(",");
      return `<circle cx="${cx}" cy="${cy}" r="2.2" fill="${colour}"/>`;
    });
    return `<polyline fill="none" stroke="${colour}" stroke-width="2" stroke-linejoin="round" ` +
      `stroke-dasharray="${dash}" points="${path.join(" ")}"/>${dots.join("")}`;
  });
  return [
    `<text x="0" y="-12" font-size="13" font-weight="600">${escaped(title)}</text>`,
    ...grid,
    `<path d="M0 0V${HEIGHT}H${WIDTH}" fill="none" stroke="#555555"/>`,
    `<text x="${WIDTH / 2}" y="${HEIGHT + 34}" text-anchor="middle" fill="#555555">${
      escaped(x.label)
    }</text>`,
    `<text transform="translate(-48 ${HEIGHT / 2}) rotate(-90)" text-anchor="middle" ` +
    `fill="#555555">${escaped(y.label)}</text>`,
    ...curves,
  ].join("\n");
}

/** Maps values to positions on an axis. */
export interface Scale {
  readonly ticks: readonly number[];
  /** The distance from the axis's beginning, in pixels. */
  place(value: number): number;
}

/**
 * A scale that includes all values.
 *
 * @param length The length of the axis, in pixels.
 */
export function scaleOf({ scale, ticks }: Axis, values: readonly number[], length: number): Scale {
  if (scale === "linear") {
    const greatest = Math.max(...values, 0);
    const step = niceStep((greatest === 0 ? 1 : greatest) / 5);
    const count = Math.max(1, Math.ceil(greatest / step - 1e-9));
    const most = step * count;
    return {
      ticks: ticks ?? Array.from({ length: count + 1 }, (_, i) => i * step),
      place: (value) => value / most * length,
    };
  }
  const positive = values.filter((value) => value > 0);
  const first = Math.floor(Math.log10(Math.min(...positive, Infinity)) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...positive, 0)) - 1e-9));
  if (!Number.isFinite(first) || !Number.isFinite(last)) return { ticks: [], place: () => 0 };
  const low = ticks?.[0] === undefined ? first : Math.log10(ticks[0]);
  const high = ticks?.at(-1) === undefined ? last : Math.log10(ticks.at(-1) ?? 1);
  return {
    ticks: ticks ?? Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i)),
    place: (value) => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low) * length,
  };
}

/** The next larger number of 1, 2, 5, 10, … */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  const factor = [1, 2, 5, 10].find((it) => it * power >= least * (1 - 1e-9)) ?? 10;
  return factor * power;
}

function text({ text = short }: Axis, value: number): string {
  return escaped(text(value));
}

/** A short number: 0.01, 5, 200, 10 k, 3 M. */
export function short(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (value >= 1e4) return `${Number((value / 1e3).toPrecision(3))} k`;
  return String(Number(value.toPrecision(3)));
}

/** A short number of bytes: 64 B, 16 KiB. */
export function bytes(value: number): string {
  if (value >= 1 << 20) return `${value / (1 << 20)} Mi`;
  return value >= 1 << 10 ? `${value / (1 << 10)} Ki` : String(value);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
