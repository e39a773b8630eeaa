/**
 * Takes secrets out of what is shown and recorded. It goes by names and forms: what it doesn't know, it leaves.
 *
 * @module
 */

/** What stands in place of a secret. */
export const REDACTED = "[redacted]";

/** Header fields whose values are secrets, or may be. */
const SECRET_FIELD =
  /^(?:authorization|proxy-authorization|cookie|set-cookie|sec-websocket-protocol|sec-websocket-key|.*(?:token|secret|api-?key|password|signature|credential|session).*)$/i;

/** Header fields that are URLs: they may have a password or a token. */
const URL_FIELD = /^(?:location|content-location|referer)$/i;

/** Names of JSON whose values are secrets. */
const SECRET_NAME =
  /^(?:.*(?:passw(?:or)?d|pwd|passphrase|passcode|secret|token|api[-_]?key|credential|private[-_]?key|signature|session[-_]?id).*|authorization|auth|cookie|jwt|otp|pin)$/i;

/** A name of text that is no JSON as a whole, such as `password=…`, `api_key: …` or `\"token\":\"…\"`, before its value. */
const SECRET_PAIR =
  /((?:passw(?:or)?d|pwd|passphrase|passcode|secret|token|api[-_]?key|credential|private[-_]?key|signature|session[-_]?id)[\w-]{0,64}(?:\\*["'])?\s*[:=]\s*)("(?:[^"\\]|\\[^])*"|\\+"(?:[^"\\]|\\+[^"\\])*\\+"|'[^']*'|[^\s&,;"'{}[\]()]+)/gi;

/** A JSON Web Token, and what follows "Bearer" or "Basic". */
const SECRET_FORM =
  /\beyJ[\w-]{4,1000}\.[\w-]{4,}\.[\w-]*|(?<=\b(?:[Bb]earer|[Bb]asic)\s)[\w.~+/=-]{8,}/g;

/** A header field's value, unless it may be a secret. */
export function redactField(name: string, value: string): string {
  if (SECRET_FIELD.test(name)) return REDACTED;
  const isUrl = URL_FIELD.test(name);
  return redactForms(
    isUrl ? redactTarget(value.replace(/\/\/[^/?#]*@/, `//${REDACTED}@`)) : value,
  );
}

/** Header fields as lines, without secrets. */
export function shownFields(fields: Iterable<readonly [string, string]>): string[] {
  return [...fields].map(([name, value]) => `${name}: ${redactField(name, value)}`);
}

function redactForms(text: string): string {
  return text.replace(SECRET_FORM, REDACTED);
}

/**
 * The text of a message without secrets: the values of JSON whose names say so, and tokens that are known by their
 * form.
 *
 * @param text The text.
 * @returns The very same text when nothing was found.
 */
export function redactText(text: string): string {
  let value: unknown;
  try {
    value = /^\s*[[{]/.test(text) ? JSON.parse(text) : null;
  } catch {
    value = null;
  }
  if (value === null) return redactForms(text.replace(SECRET_PAIR, `$1${REDACTED}`));
  let found = false;
  const redacted = JSON.stringify(value, (name, it) => {
    const isSecret = SECRET_NAME.test(name) && it !== null && it !== "" && typeof it !== "boolean";
    // A text may have JSON or pairs of its own.
    const kept = isSecret ? REDACTED : typeof it === "string" ? redactText(it) : it;
    found ||= kept !== it;
    return kept;
  });
  return redactForms(found ? redacted : text);
}

/** A target of a request, or a URL, without the values of its query and its fragment. */
export function redactTarget(target: string): string {
  const at = target.search(/[?#]/);
  if (at < 0) return redactForms(target);
  // A part without a name is a value.
  const values = target.slice(at).replace(
    /([?#&;])([^=?#&;]*=)?[^?#&;]*/g,
    (whole, mark: string, name = "") => whole === mark ? whole : `${mark}${name}${REDACTED}`,
  );
  return `${redactForms(target.slice(0, at))}${values}`;
}
