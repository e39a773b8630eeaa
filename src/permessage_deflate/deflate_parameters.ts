/**
 * The negotiation of `permessage-deflate` (RFC 7692 §7.1): a client's offer, a server's choice, and the
 * client's check of it.
 *
 * @module
 */

import {
  type ClientCompressionOptions,
  type CompressionOptions,
  MAX_BITS,
} from "./compression_options.ts";

/** A parameter of an extension: its name, and its value or `null`. */
export type ExtensionParameter = readonly [name: string, value: string | null];

/** An extension in an offer or an answer. RFC 6455 §9.1. */
export interface Extension {
  /** The extension's name, such as `"permessage-deflate"`. */
  readonly name: string;
  /** Its parameters in order. A name may appear twice. */
  readonly parameters: readonly ExtensionParameter[];
}

/** The agreed parameters of `permessage-deflate`. RFC 7692 §7.1. */
export interface DeflateParameters {
  /** Whether the server starts each message with an empty window. */
  readonly serverNoContextTakeover: boolean;
  /** Whether the client starts each message with an empty window. */
  readonly clientNoContextTakeover: boolean;
  /** The base-2 logarithm of the maximum size of the server's window in bytes, 8–15. */
  readonly serverMaxWindowBits: number;
  /** The base-2 logarithm of the maximum size of the client's window in bytes, 8–15. */
  readonly clientMaxWindowBits: number;
}

/** A server's choice among the offers of a client. */
export interface DeflateChoice {
  /** The agreed parameters. */
  readonly parameters: DeflateParameters;
  /** The extension for the answer. */
  readonly answer: Extension;
}

const DEFLATE = "permessage-deflate";

/**
 * Creates a client's offer of `permessage-deflate`.
 *
 * @param options The client's options.
 * @returns The extension to offer. Unless it is bare, it declares that the client supports
 * `client_max_window_bits`.
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

/** A parsed offer or answer; `true` is a parameter without a value. */
interface ReadParameters {
  readonly serverNoContextTakeover: boolean;
  readonly clientNoContextTakeover: boolean;
  readonly serverMaxWindowBits: number | undefined;
  readonly clientMaxWindowBits: number | true | undefined;
}

/**
 * RFC 7692 §7.1: parses the parameters of one extension, or returns a text that says which one is invalid.
 * Invalid are unknown and repeated names, a value where none is allowed, a missing value, and a value that
 * isn't an integer of 8–15 without leading zeros.
 */
function readParameters({ parameters }: Extension): ReadParameters | string {
  const values = new Map<string, number | true>();
  for (const [name, text] of parameters) {
    if (values.has(name)) return `${name} appears twice`;
    const value = readValue(name, text);
    if (value === null) return `${name} is invalid`;
    values.set(name, value);
  }
  return {
    serverNoContextTakeover: values.has("server_no_context_takeover"),
    clientNoContextTakeover: values.has("client_no_context_takeover"),
    serverMaxWindowBits: values.get("server_max_window_bits") as number | undefined,
    clientMaxWindowBits: values.get("client_max_window_bits"),
  };
}

/** Returns a parameter's value; `true` if it has none; `null` if it is invalid. */
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
 * Chooses the first of a client's offers that is valid and meets the server's options.
 *
 * RFC 7692 §5.1 and §7.1: an offer that can't be accepted is declined, and the next one is tried.
 *
 * @param offers The extensions that the client offers, in its order of preference.
 * @param options The server's options.
 * @returns The agreed parameters and the answer, or `null` for no compression.
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
  // RFC 7692 §7.1.2.2: a server can't limit a client that didn't offer the parameter.
  if (offer.clientMaxWindowBits === undefined && clientLimit < MAX_BITS) return null;
  const clientOffer = typeof offer.clientMaxWindowBits === "number"
    ? offer.clientMaxWindowBits
    : MAX_BITS;
  const parameters: DeflateParameters = {
    // RFC 7692 §7.1.1.1: the server accepts it by repeating it, and may also declare it unasked.
    serverNoContextTakeover: offer.serverNoContextTakeover || !!options.serverNoContextTakeover,
    // RFC 7692 §7.1.1.2: a server may request it, whether or not it was offered.
    clientNoContextTakeover: offer.clientNoContextTakeover || !!options.clientNoContextTakeover,
    // RFC 7692 §7.1.2.1: the server accepts it by repeating it with the same or a smaller value.
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
 * Checks on a client what the server has agreed to.
 *
 * @param answer The extensions of the server's answer.
 * @param options The options that {@linkcode offerDeflate} used, or `null` if no compression was offered.
 * @returns The agreed parameters, or `null` for no compression. A text says what is wrong: an extension that
 * was not offered, a repeated one, or parameters of `permessage-deflate` that are invalid or don't meet the
 * offer.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.1 RFC 7692 §7.1}
 */
export function checkDeflateAnswer(
  answer: readonly Extension[],
  options: ClientCompressionOptions | null,
): DeflateParameters | string | null {
  let agreed: DeflateParameters | null = null;
  for (const extension of answer) {
    // RFC 6455 §4.1: an extension that was not requested fails the connection.
    if (extension.name !== DEFLATE || options === null) return `${extension.name} was not offered`;
    if (agreed !== null) return `${DEFLATE} appears twice`;
    const read = readParameters(extension);
    if (typeof read === "string") return `the parameter ${read}`;
    const fault = faultOf(read, options);
    if (fault !== null) return fault;
    agreed = agreedParameters(read, options);
  }
  return agreed;
}

/** Returns how an answer fails to meet the offer, or `null`. */
function faultOf(read: ReadParameters, options: ClientCompressionOptions): string | null {
  const {
    serverMaxWindowBits: serverLimit = MAX_BITS,
    clientMaxWindowBits: clientLimit = MAX_BITS,
  } = options;
  const { serverMaxWindowBits = MAX_BITS, clientMaxWindowBits = clientLimit } = read;
  // RFC 7692 §7.1.1.1, §7.1.2.1: a server accepts these by repeating them. It may also send them unasked,
  // which needs no check.
  if (options.serverNoContextTakeover && !read.serverNoContextTakeover) {
    return "server_no_context_takeover is missing";
  }
  if (serverMaxWindowBits > serverLimit) {
    return `server_max_window_bits is above the requested ${serverLimit}`;
  }
  // RFC 7692 §7.1.2.2: in an answer the parameter has a value, which is at most that of the offer.
  if (options.offer === "bare" && read.clientMaxWindowBits !== undefined) {
    return "client_max_window_bits was not offered";
  }
  if (clientMaxWindowBits === true || clientMaxWindowBits > clientLimit) {
    return `client_max_window_bits has no value, or one above the offered ${clientLimit}`;
  }
  return null;
}

function agreedParameters(read: ReadParameters, options: CompressionOptions): DeflateParameters {
  const { serverMaxWindowBits = MAX_BITS, clientMaxWindowBits = options.clientMaxWindowBits } =
    read;
  return {
    serverNoContextTakeover: read.serverNoContextTakeover,
    // RFC 7692 §7.1.1.2: a client that declared it in its offer keeps to it, whatever the answer says.
    clientNoContextTakeover: read.clientNoContextTakeover || !!options.clientNoContextTakeover,
    serverMaxWindowBits,
    clientMaxWindowBits: typeof clientMaxWindowBits === "number" ? clientMaxWindowBits : MAX_BITS,
  };
}
