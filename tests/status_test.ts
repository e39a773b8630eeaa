import { assertEquals } from "@std/assert";
import * as status from "../status.ts";

/** The IANA registry of close codes, by the names of Dart's `status` library. */
const CODES = {
  normalClosure: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupportedData: 1003,
  noStatusReceived: 1005,
  abnormalClosure: 1006,
  invalidFramePayloadData: 1007,
  policyViolation: 1008,
  messageTooBig: 1009,
  missingMandatoryExtension: 1010,
  internalServerError: 1011,
  serviceRestart: 1012,
  tryAgainLater: 1013,
  badGateway: 1014,
  tlsHandshakeFailed: 1015,
};

Deno.test("status S154 exports exactly the codes of the registry, by name", () => {
  const { isSendable: _, ...codes } = status;
  assertEquals({ ...codes }, CODES);
});

Deno.test("status: isSendable returns the correct result for every code from 0 to 5100. RFC 6455 §7.4", () => {
  const wrong: number[] = [];
  const reserved = [1004, 1005, 1006, 1015];
  for (let code = 0; code <= 5100; code++) {
    const expected = code >= 1000 && code <= 1015 && !reserved.includes(code) ||
      code >= 3000 && code <= 4999;
    if (status.isSendable(code) !== expected) wrong.push(code);
  }
  assertEquals(wrong, []);
});

Deno.test("status: a value that is not an integer can't be sent", () => {
  const others = [1000.5, NaN, Infinity, -Infinity, -1000, 65536 + 1000, "1000", null, undefined];
  for (const code of others) {
    assertEquals(status.isSendable(code as number), false, String(code));
  }
});
