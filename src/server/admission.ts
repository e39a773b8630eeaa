import type { RequestHead } from "../handshake/http_head.ts";
import {
  type Acceptance,
  acceptRequest,
  checkRequest,
  isOriginAllowed,
  type Refusal,
  type RefusalOptions,
  refuse,
  type UpgradeRequest,
} from "../handshake/server_handshake.ts";
import { fieldsOf, type RefusalInit, type ServerSettings, type Verdict } from "./server_options.ts";
import { requestUrl, type ServerRequest } from "./server_request.ts";

/** What becomes of a request: one of the two is `null`. */
export type Decision =
  | { readonly acceptance: Acceptance; readonly refusal: null; readonly cause?: undefined }
  | { readonly acceptance: null; readonly refusal: Refusal; readonly cause?: unknown };

/** What decides about requests. */
export type AdmissionSettings = Pick<ServerSettings, "admission" | "fields" | "compression">;

/**
 * Decides about a request: checks it, its origin, and asks `verify`, in this order.
 *
 * @param head The request's head.
 * @param request The same for the user's functions.
 * @param settings What decides.
 * @returns The decision; a promise only where `verify` gives one. It neither throws nor rejects: a
 * fault of the user's functions is a refusal with 500.
 */
export function decide(
  head: RequestHead,
  request: ServerRequest,
  settings: AdmissionSettings,
): Decision | Promise<Decision> {
  const check = checkRequest(head);
  if (check.refusal !== null) return refused(check.refusal);
  // Whether it is wss: makes no difference to whether it is one.
  if (requestUrl(head, false) === null) return refused(refuse(400));
  try {
    const { origin = "same-host", verify } = settings.admission;
    if (!isOriginAllowed(head.headers, origin)) {
      return refused(refuse(403, { body: "This origin may not connect\n" }));
    }
    const verdict = verify === undefined ? true : verify(request);
    return typeof verdict === "object" && verdict !== null && "then" in verdict
      ? decideLater(verdict, check.request, request, settings)
      : obey(verdict, check.request, request, settings);
  } catch (cause) {
    return faulty(cause);
  }
}

async function decideLater(
  verdict: Promise<Verdict>,
  upgrade: UpgradeRequest,
  request: ServerRequest,
  settings: AdmissionSettings,
): Promise<Decision> {
  try {
    return obey(await verdict, upgrade, request, settings);
  } catch (cause) {
    return faulty(cause);
  }
}

/** Nothing but `true` lets a client in: a function that forgets to answer must not. */
function obey(
  verdict: Verdict,
  upgrade: UpgradeRequest,
  request: ServerRequest,
  settings: AdmissionSettings,
): Decision {
  if (verdict === true) return accepted(upgrade, request, settings);
  return refused(verdict ? refusalOf(verdict) : refuse(403));
}

function accepted(
  upgrade: UpgradeRequest,
  request: ServerRequest,
  { admission, fields, compression }: AdmissionSettings,
): Decision {
  const { protocols = [], headers } = admission;
  const acceptance = acceptRequest(upgrade, {
    protocols: typeof protocols === "function" ? () => protocols(request) : protocols,
    headers: fields ?? fieldsOf(typeof headers === "function" ? headers(request) : headers),
    compression,
  });
  return { acceptance, refusal: null };
}

/** A refusal as the user gives it. */
export function refusalOf({ status, statusText, headers, body }: RefusalInit): Refusal {
  const options: RefusalOptions = {
    headers: fieldsOf(headers),
    ...(statusText === undefined ? {} : { statusText }),
    ...(body === undefined ? {} : { body }),
  };
  return refuse(status, options);
}

function refused(refusal: Refusal): Decision {
  return { acceptance: null, refusal };
}

function faulty(cause: unknown): Decision {
  return { acceptance: null, refusal: refuse(500), cause };
}
