/** Cases of offers of permessage-deflate, for servers. RFC 7692 §5.1 and §7.1. */

import type { Case } from "../case.ts";
import { converse } from "../case.ts";
import { plus } from "../edits.ts";
import { text } from "../frames.ts";
import { fieldOf, parseExtensions, statusOf } from "../http.ts";
import { Fault } from "../fault.ts";
import { Peer } from "../peer.ts";
import { type Expectation, handshakeCase } from "../server_case.ts";
import { agreedOn, checkAcceptance, type ServerSubject } from "../server_subject.ts";
import { echo } from "../steps.ts";

/** The answer fits one of these offers, or there is none; the connection works. */
function fits(offers: readonly string[], mayRefuse: boolean): Expectation {
  const none = offers.length === 0
    ? "101 without permessage-deflate"
    : "101 with permessage-deflate as offered, or without";
  return {
    allows: [`${none}${mayRefuse ? ", or a refusal" : ""}; then Text: "Hello" comes back`],
    async check({ subject, wire, head }) {
      if (head === null || statusOf(head) !== 101) {
        if (mayRefuse && head !== null) return;
        throw new Fault("it refuses the upgrade: an offer that doesn't fit is declined");
      }
      checkAcceptance(head);
      const answer = parseExtensions(fieldOf(head, "sec-websocket-extensions"));
      if (answer.length === 0) {
        if (offers.length > 0) {
          subject.note("unimplemented", "it doesn't agree to permessage-deflate");
        }
      } else if (offers.length === 0) {
        throw new Fault("it agrees to an offer that it must decline (RFC 7692 §7.1)");
      }
      const agreed = answer.length === 0 ? null : agreedOn(answer, offers);
      const peer = new Peer("server", wire, subject.transcript, agreed);
      await converse(subject, peer, echo(text("Hello")));
    },
  };
}

const PMD = "permessage-deflate";

type Offer = readonly [
  id: string,
  title: string,
  value: string,
  fitting: readonly string[],
  isVariant?: boolean,
];

const GOOD: readonly Offer[] = [
  ["plain", "permessage-deflate", PMD, [PMD]],
  [
    "client-window-bare",
    "client_max_window_bits without a value",
    `${PMD}; client_max_window_bits`,
    [`${PMD}; client_max_window_bits`],
  ],
  ["browser", "what browsers offer", `${PMD}; client_max_window_bits`, [
    `${PMD}; client_max_window_bits`,
  ], true],
  [
    "all",
    "all four parameters",
    `${PMD}; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=11`,
    [`${PMD}; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=11`],
  ],
  ["quoted", "a quoted value", `${PMD}; server_max_window_bits="10"`, [
    `${PMD}; server_max_window_bits=10`,
  ]],
  ["no-blanks", "no blanks", `${PMD};server_max_window_bits=12;client_max_window_bits`, [
    `${PMD}; server_max_window_bits=12; client_max_window_bits`,
  ], true],
  ["many-blanks", "many blanks", `  ${PMD}  ;  client_max_window_bits  =  12  `, [
    `${PMD}; client_max_window_bits=12`,
  ], true],
  [
    "two",
    "two offers: the first wants a small window",
    `${PMD}; server_max_window_bits=9, ${PMD}`,
    [`${PMD}; server_max_window_bits=9`, PMD],
  ],
  [
    "fallback-bad",
    "an offer that must be declined, then a good one",
    `${PMD}; server_max_window_bits=7, ${PMD}`,
    [PMD],
  ],
  [
    "fallback-unknown",
    "an unknown extension, then a good one",
    `x-unknown, ${PMD}`,
    [PMD],
  ],
];

const DECLINED:
  readonly (readonly [id: string, title: string, parameters: string, isVariant?: boolean])[] = [
    ["server-window-7", "server_max_window_bits=7", "server_max_window_bits=7"],
    ["server-window-16", "server_max_window_bits=16", "server_max_window_bits=16"],
    ["server-window-0", "server_max_window_bits=0", "server_max_window_bits=0", true],
    ["server-window-negative", "server_max_window_bits=-1", "server_max_window_bits=-1", true],
    [
      "server-window-huge",
      "server_max_window_bits=1000000000",
      "server_max_window_bits=1000000000",
      true,
    ],
    ["server-window-leading-zero", "server_max_window_bits=010", "server_max_window_bits=010"],
    ["server-window-fraction", "server_max_window_bits=10.5", "server_max_window_bits=10.5", true],
    ["server-window-text", "server_max_window_bits=x", "server_max_window_bits=x", true],
    ["server-window-bare", "server_max_window_bits without a value", "server_max_window_bits"],
    ["client-window-7", "client_max_window_bits=7", "client_max_window_bits=7"],
    ["client-window-16", "client_max_window_bits=16", "client_max_window_bits=16", true],
    ["client-window-text", "client_max_window_bits=x", "client_max_window_bits=x", true],
    ["takeover-value", "server_no_context_takeover=1", "server_no_context_takeover=1"],
    [
      "client-takeover-value",
      "client_no_context_takeover=true",
      "client_no_context_takeover=true",
      true,
    ],
    [
      "twice",
      "server_max_window_bits twice",
      "server_max_window_bits=10; server_max_window_bits=11",
    ],
    [
      "twice-same",
      "client_no_context_takeover twice",
      "client_no_context_takeover; client_no_context_takeover",
      true,
    ],
    ["unknown", "an unknown parameter", "x_unknown"],
    ["proto", "a parameter named __proto__", "__proto__=1"],
    ["case", "a parameter in upper case", "SERVER_NO_CONTEXT_TAKEOVER", true],
  ];

const MALFORMED: readonly (readonly [id: string, title: string, value: string])[] = [
  ["no-name", "a parameter without an extension", "; server_max_window_bits=10"],
  ["open-quote", "a quoted value without its end", `${PMD}; server_max_window_bits="10`],
  ["empty-parameter", "an empty parameter", `${PMD}; ; client_max_window_bits`],
  ["no-value", "an equals sign without a value", `${PMD}; server_max_window_bits=`],
];

/** All of this file. */
export const OFFER_CASES: readonly Case<ServerSubject>[] = [
  ...GOOD.map(([id, title, value, offers, isVariant = false]) =>
    handshakeCase(
      `offer-${id}`,
      `an offer: ${title}`,
      "RFC 7692 §7.1",
      "A server agrees to an offer as a whole, or declines it.",
      plus("Sec-WebSocket-Extensions", value),
      fits(offers, false),
      { isVariant },
    )
  ),
  handshakeCase(
    "offer-two-fields",
    "two offers in two fields",
    "RFC 6455 §9.1",
    "Fields of one name make up one list.",
    (parts) =>
      plus("Sec-WebSocket-Extensions", PMD)(
        plus("Sec-WebSocket-Extensions", "x-unknown")(parts),
      ),
    fits([PMD], false),
  ),
  ...DECLINED.map(([id, title, parameters, isVariant = false]) =>
    handshakeCase(
      `offer-bad-${id}`,
      `an offer: ${title}`,
      "RFC 7692 §7.1",
      "A server must decline an offer with such a parameter.",
      plus("Sec-WebSocket-Extensions", `${PMD}; ${parameters}`),
      fits([], true),
      { isVariant },
    )
  ),
  ...MALFORMED.map(([id, title, value]) =>
    handshakeCase(
      `offer-malformed-${id}`,
      `an offer: ${title}`,
      "RFC 6455 §9.1",
      "A field that isn't well-formed is refused, or its offers are declined.",
      plus("Sec-WebSocket-Extensions", value),
      fits([], true),
    )
  ),
];
