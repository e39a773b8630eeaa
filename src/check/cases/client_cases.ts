/** All cases for clients. */

import type { Case } from "../case.ts";
import type { ClientSubject } from "../client_subject.ts";
import { ANSWER_CASES } from "./client_handshake.ts";
import { MALFORMED_ANSWER_CASES } from "./client_malformed.ts";
import { REQUEST_CASES } from "./client_request.ts";
import { CONNECTION_CASES } from "./connection_cases.ts";

/** In the order of the report. */
export const CLIENT_CASES: readonly Case<ClientSubject>[] = [
  ...REQUEST_CASES,
  ...ANSWER_CASES,
  ...MALFORMED_ANSWER_CASES,
  ...CONNECTION_CASES,
];
