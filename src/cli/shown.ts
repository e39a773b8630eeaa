/** How messages and endings are shown. */

import { messageOf } from "../realm/kinds.ts";
import type { CloseInfo } from "../web_socket/close_info.ts";
import { shownFault } from "./args.ts";
import { hexLines, printable, printableLines } from "./printable.ts";
import type { Printer } from "./printer.ts";

/** How much of a text message is shown on a terminal, in characters. */
const MAX_TEXT = 100_000;

/** Bytes as base64, however many. */
export function base64Of(bytes: Uint8Array): string {
  let text = "";
  // Three bytes are four characters, so that the parts can be joined.
  for (let at = 0; at < bytes.length; at += PART) {
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + PART)));
  }
  return text;
}

const PART = 3 * 4096;

/** A message as a part of a line of JSON. */
export function messageFields(message: string | Uint8Array): Record<string, unknown> {
  if (typeof message === "string") return { kind: "text", text: message };
  return { kind: "binary", size: message.length, base64: base64Of(message) };
}

/** A text message: JSON on several lines, if it is an object or a list. */
export function shownText(text: string, pretty: boolean): string {
  const isJson = pretty && /^\s*[[{]/.test(text) && text.length <= MAX_TEXT;
  if (isJson) {
    try {
      return printableLines(JSON.stringify(JSON.parse(text), null, 2));
    } catch {
      // Then it is text.
    }
  }
  const shown = printableLines(text.slice(0, MAX_TEXT));
  return text.length > MAX_TEXT ? `${shown}… ${text.length - MAX_TEXT} more characters` : shown;
}

/** A message as lines. */
export function shownMessage(
  printer: Printer,
  mark: string,
  message: string | Uint8Array,
  pretty = true,
): string[] {
  if (typeof message === "string") return [`${mark} ${shownText(message, pretty)}`];
  const head = `${mark} ${printer.paint("dim", `binary, ${sizeText(message.length)}`)}`;
  return [head, ...hexLines(message).map((it) => `  ${it}`)];
}

/** A number of bytes. */
export function sizeText(size: number): string {
  return counted(size, "byte");
}

/** A number of things, such as `"1 connection"` or `"2 connections"`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** How a connection has ended, as a part of a line of JSON. */
export function closeFields({ code, reason, wasClean, initiator, error }: CloseInfo): object {
  return {
    type: "close",
    code,
    reason,
    wasClean,
    initiator,
    ...(error === undefined ? {} : { error: messageOf(error) }),
  };
}

/** How a connection has ended, in words. */
export function closeText(info: CloseInfo): string {
  const { initiator, error, received, sent, wasClean } = info;
  const content = initiator === "remote" ? received : sent ?? received;
  const code = content === undefined ? "" : content.code === 1005 ? "no code" : `${content.code}`;
  const reason = content === undefined || content.reason === ""
    ? ""
    : ` ${printable(JSON.stringify(content.reason))}`;
  const why = error === undefined ? "" : `: ${shownFault(error)}`;
  if (content === undefined) return `lost${why || ": there was no Close frame"}`;
  const who = initiator === "remote" ? "the server" : "this side";
  return `closed by ${who}: ${code}${reason}${wasClean ? "" : ", not clean"}${why}`;
}

/** Whether a connection has ended well. */
export function isGoodEnd({ wasClean, code, error }: CloseInfo): boolean {
  return wasClean && error === undefined && (code === 1000 || code === 1001 || code === 1005);
}
