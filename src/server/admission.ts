import type { RequestHead } from "../handshake/http_head.ts";
import {
  type Acceptance,
  acceptRequest,
  checkRequest,
  chooseProtocol,
  type Field,
  isOriginAllowed,
  type Refusal,
  refuse,
  type UpgradeRequest,
} from "../handshake/server_handshake.ts";
import type { CompressionOptions } from "../permessage_deflate/compression_options.ts";
import { isPromiseLike } from "../realm/kinds.ts";
import { services } from "../web_socket/connection_service.ts";
import { type RefusalReason, report } from "./error_hook.ts";
import { foreignHost, isHostAllowed } from "./hosts.ts";
import { contextIn, hasContext, isAdmitted, refusalOf } from "./refusals.ts";
import { fieldsOf, type HeaderFields, negotiable, type ServerSettings } from "./server_options.ts";
import { UpgradeServerRequest } from "./server_request.ts";

/** The decision about a request: `acceptance` or `refusal` is `null`. */
export type Decision = Admitted | Refused;

interface Admitted {
  readonly acceptance: Acceptance;
  readonly refusal: null;
}

/** A decision to refuse a request. */
export interface Refused {
  readonly acceptance: null;
  readonly refusal: Refusal;
  readonly reason: RefusalReason;
  /** The error of the user's function, if it is the reason. */
  readonly cause?: unknown;
}

/** The options that decide about requests. */
export type AdmissionSettings = Pick<
  ServerSettings,
  "admission" | "hosts" | "fields" | "compression" | "handler" | "onError"
>;

/**
 * Decides about a request. Checks it, then applies `hosts`, `origin`, `verify`, `protocols`, `headers` and
 * `compression`, in this order.
 *
 * @param head The request's head.
 * @param request The request as the user's functions get it.
 * @param settings The checked options.
 * @returns The decision; a promise only if one of the user's functions returns one. It neither throws nor rejects: if
 * one of the user's functions fails, it is reported, and the request is refused with 500.
 */
export function decide(
  head: RequestHead,
  request: UpgradeServerRequest,
  settings: AdmissionSettings,
): Decision | Promise<Decision> {
  const { request: upgrade, refusal } = checkRequest(head);
  if (upgrade === null) return refused(refusal, "malformed");
  return run(new Admission(upgrade, request, settings), 0);
}

/** A well-formed request, and what the stages so far have decided. */
class Admission {
  readonly upgrade: UpgradeRequest;
  readonly request: UpgradeServerRequest;
  readonly settings: AdmissionSettings;
  /** The chosen subprotocols, none or one. */
  protocols: readonly string[] = [];
  headers: readonly Field[] = [];
  compression: CompressionOptions | null = null;

  constructor(
    upgrade: UpgradeRequest,
    request: UpgradeServerRequest,
    settings: AdmissionSettings,
  ) {
    this.upgrade = upgrade;
    this.request = request;
    this.settings = settings;
  }
}

/** One option that takes part in the decision. */
interface Stage {
  /** The option's name. */
  readonly where: string;
  /** Evaluates the option, perhaps by calling the user's function; returns the answer or a promise of it. */
  ask(admission: Admission): unknown;
  /** Applies the answer; returns a refusal or `null`. Throws if the answer is not valid for the option. */
  take(admission: Admission, answer: unknown): Refused | null;
}

/** The stages in their order. Each runs only if the previous ones accept the client. */
const STAGES: readonly Stage[] = [
  {
    where: "hosts",
    ask({ upgrade: { target: { host } }, request, settings: { hosts } }) {
      return isHostAllowed(host, request, hosts);
    },
    take({ upgrade: { target: { host } }, settings: { hosts } }, answer) {
      return isAdmitted("hosts", answer) ? null : refused(foreignHost(host, hosts), "host");
    },
  },
  {
    where: "origin",
    ask({ upgrade: { head, target }, settings: { admission: { origin = "same-host" } } }) {
      return isOriginAllowed(head.headers, origin, target.host);
    },
    take(_, answer) {
      if (isAdmitted("origin", answer)) return null;
      return refused(refuse(403, { body: FOREIGN_ORIGIN }), "origin");
    },
  },
  {
    where: "verify",
    ask({ request, settings: { admission: { verify } } }) {
      return verify === undefined ? true : verify(request);
    },
    take({ request }, answer) {
      // Only `true` admits a client, so that a function that forgets to return admits none.
      if (answer === true) return null;
      if (answer === false) return refused(refuse(403), "verify");
      if (!hasContext(answer)) return refused(refusalOf(answer), "verify");
      UpgradeServerRequest.setContext(request, contextIn(answer));
      return null;
    },
  },
  {
    where: "protocols",
    ask({ request, settings: { admission: { protocols = NO_PROTOCOLS } } }) {
      return typeof protocols === "function" ? protocols(request) : protocols;
    },
    take(admission, answer) {
      const { upgrade, settings } = admission;
      admission.protocols = typeof settings.admission.protocols === "function"
        ? chosen(upgrade, answer)
        : answer as readonly string[];
      return null;
    },
  },
  {
    where: "headers",
    ask({ request, settings: { admission: { headers }, fields } }) {
      return typeof headers === "function" ? headers(request) : fields;
    },
    take(admission, answer) {
      const { admission: { headers }, fields } = admission.settings;
      admission.headers = typeof headers === "function"
        ? fieldsOf(answer as HeaderFields | undefined)
        : fields;
      return null;
    },
  },
  {
    where: "compression",
    ask({ request, settings: { compression } }) {
      return typeof compression === "function" ? compression(request) : compression;
    },
    take(admission, answer) {
      const { compression } = admission.settings;
      admission.compression = typeof compression === "function" ? negotiable(answer) : compression;
      return null;
    },
  },
];

const NO_PROTOCOLS: readonly string[] = [];

/** This text helps the operator of the server: behind a proxy that changes Host, every page looks foreign. */
const FOREIGN_ORIGIN =
  "Cannot accept this origin: the server's option `origin` does not allow it\n";

/** Checks the subprotocol that the user's function chose, and returns it in a list; an empty list for none. */
function chosen({ protocols }: UpgradeRequest, protocol: unknown): readonly string[] {
  if (protocol === null) return NO_PROTOCOLS;
  if (typeof protocol === "string" && protocols.includes(protocol)) return [protocol];
  throw new TypeError(
    "Cannot use the answer of protocols: the client did not offer this subprotocol",
  );
}

/** Runs the stages synchronously up to the first promise, and the rest once it has settled. */
function run(admission: Admission, first: number): Decision | Promise<Decision> {
  for (let i = first; i < STAGES.length; i++) {
    const stage = STAGES[i] as Stage;
    try {
      const answer = stage.ask(admission);
      if (isPromiseLike<unknown>(answer)) return runLater(admission, i, answer);
      const refusal = stage.take(admission, answer);
      if (refusal !== null) return refusal;
    } catch (cause) {
      return failed(admission, stage, cause);
    }
  }
  chooseService(admission);
  return { acceptance: acceptRequest(admission.upgrade, admission), refusal: null };
}

/** A `ConnectionService` used as `handler` has its own subprotocol, which carries the user's. */
function chooseService(admission: Admission): void {
  const { upgrade, request, protocols, settings: { handler } } = admission;
  const service = handler && services.get(handler);
  if (service === undefined || !upgrade.protocols.includes(service.protocol)) return;
  UpgradeServerRequest.setProtocol(request, chooseProtocol(upgrade, protocols));
  admission.protocols = [service.protocol];
}

async function runLater(
  admission: Admission,
  at: number,
  promised: PromiseLike<unknown>,
): Promise<Decision> {
  const stage = STAGES[at] as Stage;
  try {
    const refusal = stage.take(admission, await promised);
    if (refusal !== null) return refusal;
  } catch (cause) {
    return failed(admission, stage, cause);
  }
  return await run(admission, at + 1);
}

function failed({ request, settings }: Admission, { where }: Stage, cause: unknown): Refused {
  report(settings.onError, cause, { where, request });
  return { ...refused(refuse(500), "error"), cause };
}

/**
 * Creates the decision to refuse a request.
 *
 * @param refusal The response that the client gets.
 * @param reason The reason that `onRefused` and `stats` report.
 */
export function refused(refusal: Refusal, reason: RefusalReason): Refused {
  return { acceptance: null, refusal, reason };
}
