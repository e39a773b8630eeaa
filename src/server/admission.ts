import type { RequestHead } from "../handshake/http_head.ts";
import {
  type Acceptance,
  acceptRequest,
  checkRequest,
  chooseProtocol,
  isOriginAllowed,
  type Refusal,
  refuse,
  type UpgradeRequest,
} from "../handshake/server_handshake.ts";
import { isPromiseLike } from "../realm/kinds.ts";
import { services } from "../web_socket/connection_service.ts";
import { type RefusalReason, report } from "./error_hook.ts";
import { foreignHost, isHostAllowed } from "./hosts.ts";
import { contextIn, hasContext, isAdmitted, refusalOf } from "./refusals.ts";
import { fieldsOf, type HeaderFields, negotiable, type ServerSettings } from "./server_options.ts";
import { UpgradeServerRequest } from "./server_request.ts";

/** What becomes of a request: one of the two is `null`. */
export type Decision = Admitted | Refused;

interface Admitted {
  readonly acceptance: Acceptance;
  readonly refusal: null;
}

/** A request that is refused, and why. */
export interface Refused {
  readonly acceptance: null;
  readonly refusal: Refusal;
  readonly reason: RefusalReason;
  /** The error of the user's, if that is why. */
  readonly cause?: unknown;
}

/** What decides about requests. */
export type AdmissionSettings = Pick<
  ServerSettings,
  "admission" | "hosts" | "fields" | "compression" | "handler" | "onError"
>;

/**
 * Decides about a request: checks it, then asks `hosts`, `origin`, `verify`, `protocols`, `headers` and
 * `compression`, in this order.
 *
 * @param head The request's head.
 * @param request The same for the user's functions.
 * @param settings What decides.
 * @returns The decision; a promise only if one of the user's functions gives one. It neither throws nor rejects: a
 * fault of the user's functions is a refusal with 500, and reported.
 */
export function decide(
  head: RequestHead,
  request: UpgradeServerRequest,
  settings: AdmissionSettings,
): Decision | Promise<Decision> {
  return run(stepsOf(head, request, settings), (cause, where) => {
    report(settings.onError, cause, { where, request });
    return { ...refused(refuse(500), "error"), cause };
  });
}

/** A function of the user's to call, and the option that it stands in. */
type Step = readonly [where: string, call: () => unknown];

/** Yields each call of the user's functions, and goes on with what it gave: not with a promise, but its value. */
function* stepsOf(
  head: RequestHead,
  request: UpgradeServerRequest,
  { admission, hosts, fields, compression, handler }: AdmissionSettings,
): Generator<Step, Decision, unknown> {
  const { request: upgrade, refusal } = checkRequest(head);
  if (upgrade === null) return refused(refusal, "malformed");
  const { host } = upgrade.target;
  const served = typeof hosts === "function"
    ? yield ["hosts", () => isHostAllowed(host, request, hosts)]
    : isHostAllowed(host, request, hosts);
  if (!isAdmitted("hosts", served)) return refused(foreignHost(host, hosts), "host");
  const { origin = "same-host", verify, protocols = [], headers } = admission;
  const welcome = typeof origin === "function"
    ? yield ["origin", () => isOriginAllowed(head.headers, origin, host)]
    : isOriginAllowed(head.headers, origin, host);
  if (!isAdmitted("origin", welcome)) {
    return refused(refuse(403, { body: FOREIGN_ORIGIN }), "origin");
  }
  // Nothing but `true` lets a client in: a function that forgets to answer must not.
  const verdict = verify === undefined ? true : yield ["verify", () => verify(request)];
  if (verdict === false) return refused(refuse(403), "verify");
  if (hasContext(verdict)) UpgradeServerRequest.setContext(request, contextIn(verdict));
  else if (verdict !== true) return refused(refusalOf(verdict), "verify");
  const spoken = typeof protocols === "function"
    ? chosen(upgrade, yield ["protocols", () => protocols(request)])
    : protocols;
  const extra = typeof headers === "function"
    ? fieldsOf((yield ["headers", () => headers(request)]) as HeaderFields | undefined)
    : fields;
  const wishes = typeof compression === "function"
    ? negotiable(yield ["compression", () => compression(request)])
    : compression;
  const service = handler && services.get(handler);
  const isServed = service !== undefined && upgrade.protocols.includes(service.protocol);
  if (isServed) UpgradeServerRequest.setProtocol(request, chooseProtocol(upgrade, spoken));
  const options = {
    protocols: isServed ? [service.protocol] : spoken,
    headers: extra,
    compression: wishes,
  };
  return { acceptance: acceptRequest(upgrade, options), refusal: null };
}

/** For who runs the server: a proxy that changes Host looks like a foreign page. */
const FOREIGN_ORIGIN =
  "Cannot accept this origin: the server's option `origin` does not allow it\n";

/** The subprotocol that a function of the user's chose, if any. */
function chosen({ protocols }: UpgradeRequest, protocol: unknown): string[] {
  if (protocol === null) return [];
  if (typeof protocol === "string" && protocols.includes(protocol)) return [protocol];
  throw new TypeError("Cannot choose a subprotocol that the client did not offer");
}

/** Takes the steps at once up to the first promise, and behind it when it is settled. */
function run(
  steps: Generator<Step, Decision, unknown>,
  fail: (cause: unknown, where: string) => Decision,
  last: { readonly where: string; readonly given: unknown } = { where: "", given: undefined },
): Decision | Promise<Decision> {
  let { where, given } = last;
  try {
    for (;;) {
      const step = steps.next(given);
      if (step.done) return step.value;
      where = step.value[0];
      given = step.value[1]();
      if (isPromiseLike<unknown>(given)) return runLater(steps, fail, { where, given });
    }
  } catch (cause) {
    return fail(cause, where);
  }
}

async function runLater(
  steps: Generator<Step, Decision, unknown>,
  fail: (cause: unknown, where: string) => Decision,
  { where, given }: { readonly where: string; readonly given: PromiseLike<unknown> },
): Promise<Decision> {
  try {
    return await run(steps, fail, { where, given: await given });
  } catch (cause) {
    return fail(cause, where);
  }
}

/**
 * A refusal.
 *
 * @param refusal What the client gets.
 * @param reason Why.
 */
export function refused(refusal: Refusal, reason: RefusalReason): Refused {
  return { acceptance: null, refusal, reason };
}
