/** The cases that servers and clients have in common: all of an open connection. */

import type { Case } from "../case.ts";
import { CONTROL_CASES } from "./control.ts";
import { DEFLATE_CASES } from "./deflate.ts";
import { WINDOW_CASES } from "./deflate_windows.ts";
import { FRAGMENT_CASES } from "./fragments.ts";
import { FRAME_CASES } from "./frames.ts";
import { LIMIT_CASES } from "./limits.ts";
import { TEXT_CASES } from "./text.ts";

/** In the order of the report. */
export const CONNECTION_CASES: readonly Case[] = [
  ...FRAME_CASES,
  ...FRAGMENT_CASES,
  ...CONTROL_CASES,
  ...TEXT_CASES,
  ...DEFLATE_CASES,
  ...WINDOW_CASES,
  ...LIMIT_CASES,
];
