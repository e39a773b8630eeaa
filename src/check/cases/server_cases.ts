/** All cases for servers. */

import type { Case } from "../case.ts";
import type { ServerSubject } from "../server_subject.ts";
import { HANDSHAKE_CASES } from "./server_handshake.ts";
import { MALFORMED_REQUEST_CASES } from "./server_malformed.ts";
import { OFFER_CASES } from "./server_offers.ts";
import { MASK_CASES } from "./server_masks.ts";
import { CONNECTION_CASES } from "./connection_cases.ts";

/** In the order of the report. */
export const SERVER_CASES: readonly Case<ServerSubject>[] = [
  ...HANDSHAKE_CASES,
  ...MALFORMED_REQUEST_CASES,
  ...OFFER_CASES,
  ...MASK_CASES,
  ...CONNECTION_CASES,
];
