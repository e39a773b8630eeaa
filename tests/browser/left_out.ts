/** Unit tests of other platforms' behaviour, and why a browser differs. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  "connect: throws only for malformed arguments": "a page's own URL makes it whole",
  "connect W5 W9: uses the native socket if it supports all options, otherwise net":
    "it has no header fields, and no net",
  "connect: user info in the URL works natively if header fields do": "it has no header fields",
  "connect: passes no header field to a constructor that may not support any": "it has no net",
  "connect: works without a global WebSocket": "it has no net",
  "a message that took long to compress is also written at once, however small it became":
    "it has no compressor",
  "S155 invalid options throw at once, and the bytes stay untouched":
    "it has no compressor to give options to",
};

const OWN = "the browser's own";
const URL_PARSER = "Chromium's URL parser takes a blank for a part of the host";

/** Cases of the WebSockets standard in which Chromium differs from it. */
export const STANDARD_LEFT_OUT: Readonly<Record<string, string>> = {
  "the page's class, The constructor: a space in the host is a SyntaxError": URL_PARSER,
  [`${OWN}, The constructor: a space in the host is a SyntaxError`]: URL_PARSER,
  [`${OWN}, The constructor: subprotocols: the same twice, in another case is a SyntaxError`]:
    "Chromium compares them by case",
  [`${OWN}, close(): the Close frame of no code and an empty reason`]:
    "Chromium takes it for code 0",
  [`${OWN}, close(): the Close frame of no code and a reason, which has 1000`]:
    "Chromium takes it for code 0",
  [`${OWN}, Feedback from the protocol: a lost connection fires an error event`]:
    "Chromium fires the close event only",
};
