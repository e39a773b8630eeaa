/** What the cases of permessage-deflate share. */

import { hex } from "../bytes.ts";
import { type Case, type CaseOptions, connectionCase } from "../case.ts";
import { type Frame, rsv1, text } from "../frames.ts";
import type { Step } from "../steps.ts";

/** RFC 7692 §7.2.3.1: "Hello" in one block of the fixed code. */
export const HELLO: Uint8Array = hex("f2 48 cd c9 c9 07 00");
/** RFC 7692 §7.2.3.2: "Hello" again, as a reference to the message before. */
export const AGAIN: Uint8Array = hex("f2 00 11 00 00");
/** A compressed text. */
export const packed = (bytes: Uint8Array, given: Partial<Frame> = {}): Frame =>
  text(bytes, { ...rsv1, ...given });

/** A case with permessage-deflate. */
export const at = (
  id: string,
  title: string,
  section: string,
  why: string,
  steps: readonly Step[],
  options: CaseOptions = {},
): Case =>
  connectionCase(`deflate/${id}`, title, section, why, steps, { compression: {}, ...options });

/** A text that compresses well. */
export const SENTENCE =
  "she sells sea shells by the sea shore; the shells she sells are sea shells, for sure, says she. ";
