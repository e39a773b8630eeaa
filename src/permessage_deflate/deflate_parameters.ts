/**
 * The negotiation of `permessage-deflate`, RFC 7692 §7.1: offer, choice, and check of the answer.
 *
 * @module
 */

import {
  type ClientCompressionOptions,
  type CompressionOptions,
  MAX_BITS,
} from "./compression_options.ts";

/** A parameter of an extension: its name, and its value or `null` when it has none. */
export type ExtensionParameter = readonly [name: string, value: string | null];

/** An extension as it is offered or agreed to. RFC 6455 §9.1. */
export interface Extension {
  /** The extension's name, such as `"permessage-deflate"`. */
  readonly name: string;
  /** Its parameters in order; a name may come twice. */
  readonly parameters: readonly ExtensionParameter[];
}

/** What both ends agreed to for `permessage-deflate`. RFC 7692 §7.1. */
export interface DeflateParameters {
  /** Whether the server starts each message with an empty window. */
  readonly serverNoContextTakeover: boolean;
  /** Whether the client starts each message with an empty window. */
  readonly clientNoContextTakeover: boolean;
  /** The base-2 logarithm of the server's window in bytes at most, 8–15. */
  readonly serverMaxWindowBits: number;
  /** The base-2 logarithm of the client's window in bytes at most, 8–15. */
  readonly clientMaxWindowBits: number;
}

/** A server's choice among the offers of a client. */
export interface DeflateChoice {
  /** What is agreed. */
  readonly parameters: DeflateParameters;
  /** What to answer. */
  readonly answer: Extension;
}

const DEFLATE = "permessage-deflate";

/**
 * A client's offer of `permessage-deflate`.
 *
 * @param options The client's wishes.
 * @returns The extension to offer. Unless it is bare, it says that the client heeds `client_max_window_bits`.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.1 RFC 7692 §7.1}
 */
export function offerDeflate(options: ClientCompressionOptions): Extension {
  if (options.offer === "bare") return { name: DEFLATE, parameters: [] };
  const { serverMaxWindowBits = MAX_BITS, clientMaxWindowBits = MAX_BITS } = options;
  const parameters: ExtensionParameter[] = [];
  if (options.serverNoContextTakeover) parameters.push(["server_no_context_takeover", null]);
  if (options.clientNoContextTakeover) parameters.push(["client_no_context_takeover", null]);
  if (serverMaxWindowBits < MAX_BITS) {
    parameters.push(["server_max_window_bits", String(serverMaxWindowBits)]);
  }
  const clientBits = clientMaxWindowBits < MAX_BITS ? String(clientMaxWindowBits) : null;
  parameters.push(["client_max_window_bits", clientBits]);
  return { name: DEFLATE, parameters };
}

/** An offer or an answer as read: `true` for a parameter without a value. */
interface ReadParameters {
  readonly serverNoContextTakeover: boolean;
  readonly clientNoContextTakeover: boolean;
  readonly serverMaxWindowBits: number | undefined;
  readonly clientMaxWindowBits: number | true | undefined;
}

/**
 * RFC 7692 §7.1: what one extension's parameters say, or a text that says what is wrong with them:
 * an unknown name, one name twice, a value where none may be, none where there must be one, or one
 * that is no integer of 8–15 without leading zeros.
 */
function readParameters({ parameters }: Extension): ReadParameters | string {
  const values = new Map<string, number | true>();
  for (const [name, text] of parameters) {
    if (values.has(name)) return `${name} twice`;
    const value = readValue(name, text);
    if (value === null) return name;
    values.set(name, value);
  }
  return {
    serverNoContextTakeover: values.has("server_no_context_takeover"),
    clientNoContextTakeover: values.has("client_no_context_takeover"),
    serverMaxWindowBits: values.get("server_max_window_bits") as number | undefined,
    clientMaxWindowBits: values.get("client_max_window_bits"),
  };
}

/** A parameter's value, `true` for one without, or `null` when it is illegal. */
function readValue(name: string, text: string | null): number | true | null {
  switch (name) {
    case "server_no_context_takeover":
    case "client_no_context_takeover":
      return text === null ? true : null;
    case "client_max_window_bits":
      return text === null ? true : readBits(text);
    case "server_max_window_bits":
      return text === null ? null : readBits(text);
    default:
      return null;
  }
}

function readBits(text: string): number | null {
  return /^(?:[89]|1[0-5])$/.test(text) ? Number(text) : null;
}

/**
 * A server's choice among a client's offers: the first that is legal and that the server's wishes
 * can be met with.
 *
 * RFC 7692 §5.1 and §7.1: an offer that can't be accepted is declined, and the next one is looked at.
 *
 * @param offers The extensions that the client offers, in its order of preference.
 * @param options The server's wishes.
 * @returns What is agreed and what to answer, or `null` to go without compression.
 */
export function chooseDeflate(
  offers: readonly Extension[],
  options: CompressionOptions,
): DeflateChoice | null {
  for (const offer of offers) {
    if (offer.name !== DEFLATE) continue;
    const read = readParameters(offer);
    const choice = typeof read === "string" ? null : acceptOffer(read, options);
    if (choice !== null) return choice;
  }
  return null;
}

function acceptOffer(offer: ReadParameters, options: CompressionOptions): DeflateChoice | null {
  const clientLimit = options.clientMaxWindowBits ?? MAX_BITS;
  // RFC 7692 §7.1.2.2: a client that didn't offer the parameter can't be held to a limit.
  if (offer.clientMaxWindowBits === undefined && clientLimit < MAX_BITS) return null;
  const clientOffer = typeof offer.clientMaxWindowBits === "number"
    ? offer.clientMaxWindowBits
    : MAX_BITS;
  const parameters: DeflateParameters = {
    // RFC 7692 §7.1.1.1: accepted by repeating it; a server may also say it of itself.
    serverNoContextTakeover: offer.serverNoContextTakeover || !!options.serverNoContextTakeover,
    // RFC 7692 §7.1.1.2: a server may ask for it whatever the offer says.
    clientNoContextTakeover: offer.clientNoContextTakeover || !!options.clientNoContextTakeover,
    // RFC 7692 §7.1.2.1: accepted by repeating it, with the same or a smaller value.
    serverMaxWindowBits: Math.min(
      offer.serverMaxWindowBits ?? MAX_BITS,
      options.serverMaxWindowBits ?? MAX_BITS,
    ),
    clientMaxWindowBits: Math.min(clientOffer, clientLimit),
  };
  return { parameters, answer: answerFor(parameters, offer) };
}

function answerFor(agreed: DeflateParameters, offer: ReadParameters): Extension {
  const parameters: ExtensionParameter[] = [];
  if (agreed.serverNoContextTakeover) parameters.push(["server_no_context_takeover", null]);
  if (agreed.clientNoContextTakeover) parameters.push(["client_no_context_takeover", null]);
  if (offer.serverMaxWindowBits !== undefined || agreed.serverMaxWindowBits < MAX_BITS) {
    parameters.push(["server_max_window_bits", String(agreed.serverMaxWindowBits)]);
  }
  if (agreed.clientMaxWindowBits < MAX_BITS) {
    parameters.push(["client_max_window_bits", String(agreed.clientMaxWindowBits)]);
  }
  return { name: DEFLATE, parameters };
}

/**
 * A client's check of what a server agreed to.
 *
 * @param answer The extensions of the server's answer.
 * @param options The wishes from which {@linkcode offerDeflate} made the offer, or `null` when no
 * compression was offered.
 * @returns What is agreed, `null` for no compression; or a text that says what is wrong: the answer
 * holds an extension that was not offered, one twice, or `permessage-deflate` with parameters that are
 * illegal or don't meet the offer.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.1 RFC 7692 §7.1}
 */
export function checkDeflateAnswer(
  answer: readonly Extension[],
  options: ClientCompressionOptions | null,
): DeflateParameters | string | null {
  let agreed: DeflateParameters | null = null;
  for (const extension of answer) {
    // RFC 6455 §4.1: an extension that was not asked for fails the connection.
    if (extension.name !== DEFLATE || options === null) return `not offered: ${extension.name}`;
    if (agreed !== null) return `agreed to twice: ${DEFLATE}`;
    const read = readParameters(extension);
    if (typeof read === "string") return `illegal parameter ${read}: ${DEFLATE}`;
    const fault = faultOf(read, options);
    if (fault !== null) return fault;
    agreed = agreedParameters(read, options);
  }
  return agreed;
}

/** What of an answer does not meet the offer; `null` when all does. */
function faultOf(read: ReadParameters, options: ClientCompressionOptions): string | null {
  const {
    serverMaxWindowBits: serverLimit = MAX_BITS,
    clientMaxWindowBits: clientLimit = MAX_BITS,
  } = options;
  const { serverMaxWindowBits = MAX_BITS, clientMaxWindowBits = clientLimit } = read;
  // RFC 7692 §7.1.1.1, §7.1.2.1: a server accepts these by repeating them. It may also give them
  // unasked, which needs no check.
  if (options.serverNoContextTakeover && !read.serverNoContextTakeover) {
    return "server_no_context_takeover is missing";
  }
  if (serverMaxWindowBits > serverLimit) {
    return `server_max_window_bits is over the ${serverLimit} asked for`;
  }
  // RFC 7692 §7.1.2.2: in an answer the parameter has a value, not over the offer's, if that had it.
  if (options.offer === "bare" && read.clientMaxWindowBits !== undefined) {
    return "client_max_window_bits was not offered";
  }
  if (clientMaxWindowBits === true || clientMaxWindowBits > clientLimit) {
    return `client_max_window_bits has no value, or one over the ${clientLimit} offered`;
  }
  return null;
}

function agreedParameters(read: ReadParameters, options: CompressionOptions): DeflateParameters {
  const { serverMaxWindowBits = MAX_BITS, clientMaxWindowBits = options.clientMaxWindowBits } =
    read;
  return {
    serverNoContextTakeover: read.serverNoContextTakeover,
    // RFC 7692 §7.1.1.2: a client that said it won't keep its window doesn't, whatever the answer.
    clientNoContextTakeover: read.clientNoContextTakeover || !!options.clientNoContextTakeover,
    serverMaxWindowBits,
    clientMaxWindowBits: typeof clientMaxWindowBits === "number" ? clientMaxWindowBits : MAX_BITS,
  };
}
