/** Heads of requests and answers that both sides read in the same way. RFC 9110 and RFC 9112. */

import { all, type Edit, field, plus, renamed, without } from "../edits.ts";

/** A change of a correct head. */
export type HeadRow = readonly [
  id: string,
  title: string,
  section: string,
  why: string,
  edit: Edit,
  isVariant: boolean,
];

type Row = readonly [id: string, title: string, edit: Edit, isVariant?: boolean];

const rows = (section: string, why: string, ...list: readonly Row[]): HeadRow[] =>
  list.map(([id, title, edit, isVariant = false]) => [id, title, section, why, edit, isVariant]);

/** Heads that open the connection. `own` is the section about this side's handshake. */
export function goodHeads(own: string): HeadRow[] {
  return [
    ...rows(
      "RFC 9110 §5.1",
      "Names of fields have no letter case.",
      ["lower-case", "names of fields in lower case", renamed((it) => it.toLowerCase())],
      ["upper-case", "names of fields in upper case", renamed((it) => it.toUpperCase()), true],
    ),
    ...rows(
      own,
      "The value has no letter case.",
      ["upgrade-mixed-case", "Upgrade: WebSocket", field("Upgrade", "WebSocket")],
      ["connection-lower-case", "Connection: upgrade", field("Connection", "upgrade")],
    ),
    ...rows(own, "Connection is a list that has the token.", [
      "connection-list",
      "Connection: keep-alive, Upgrade",
      field("Connection", "keep-alive, Upgrade"),
    ]),
    ...rows("RFC 9110 §5.3", "Fields may come in any order.", [
      "reverse-order",
      "all fields in the reverse order",
      ({ line, fields }) => ({ line, fields: [...fields].reverse() }),
    ]),
    ...rows("RFC 9110 §5.4", "Browsers and proxies add some.", [
      "many-fields",
      "50 fields",
      (head) =>
        all(
          ...Array.from(
            { length: 50 - head.fields.length },
            (_, i) => plus(`X-Field-${i}`, `${i}`),
          ),
        )(head),
    ]),
  ];
}

/** Heads that must not open the connection. */
export function badHeads(own: string): HeadRow[] {
  return rows(
    own,
    "Without this, the connection must not open.",
    ["no-upgrade", "no Upgrade", without("Upgrade")],
    ["upgrade-other", "Upgrade: h2c", field("Upgrade", "h2c")],
    ["upgrade-longer", "Upgrade: websockets", field("Upgrade", "websockets")],
    ["upgrade-empty", "an empty Upgrade", field("Upgrade", ""), true],
    ["no-connection", "no Connection", without("Connection")],
    ["connection-close", "Connection: close", field("Connection", "close")],
    ["connection-longer", "Connection: Upgraded", field("Connection", "Upgraded"), true],
  );
}

/** A head that isn't well-formed. */
export type MalformedHead = readonly [
  title: string,
  section: string,
  change: (head: string) => string,
];

const insert = (line: string) => (head: string): string =>
  head.replace("Upgrade: w", `${line}\r\nUpgrade: w`);

/** Heads that aren't well-formed, as text. What a side may do with each is its own affair. */
export const MALFORMED_HEADS: Readonly<Record<string, MalformedHead>> = {
  "blank-before-colon": [
    "a blank between a field's name and its colon",
    "RFC 9112 §5.1",
    (it) => it.replace("Upgrade: w", "Upgrade : w"),
  ],
  "obs-fold": [
    "Upgrade on a line of its own, folded",
    "RFC 9112 §5.2",
    (it) => it.replace("Upgrade: websocket", "Upgrade:\r\n websocket"),
  ],
  "no-colon": ["a line without a colon among the fields", "RFC 9112 §5", insert("nonsense")],
  "empty-name": ["a field without a name", "RFC 9110 §5.1", insert(": x")],
  "nul-in-value": ["a NUL in a value", "RFC 9110 §5.5", insert("X: a\0b")],
  "cr-in-value": ["a CR in a value", "RFC 9110 §5.5", insert("X: a\rb")],
};
