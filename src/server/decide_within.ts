import type { RequestHead } from "../handshake/http_head.ts";
import { refuse } from "../handshake/server_handshake.ts";
import { type AdmissionSettings, decide, type Decision, refused } from "./admission.ts";
import { addressOf, type ConnectionCounter } from "./connection_limits.ts";
import { report } from "./error_hook.ts";
import type { UpgradeServerRequest } from "./server_request.ts";

/** The options that decide about requests, and the connection limits. */
export interface LimitedSettings extends AdmissionSettings {
  readonly limits: ConnectionCounter | undefined;
}

/**
 * Applies the connection limits, then {@linkcode decide}. The caller removes a counted connection from the limits when
 * it has closed or isn't accepted.
 */
export function decideWithin(
  head: RequestHead,
  request: UpgradeServerRequest,
  settings: LimitedSettings,
): Decision | Promise<Decision> {
  const { limits } = settings;
  if (limits === undefined) return decide(head, request, settings);
  const enter = (address: string | null): Decision | Promise<Decision> => {
    const excess = limits.enter(request, address);
    if (excess !== null) return refused(excess.refusal, excess.reason);
    return decide(head, request, settings);
  };
  const fail = (cause: unknown): Decision => {
    report(settings.onError, cause, { where: "clientAddress", request });
    return { ...refused(refuse(500), "error"), cause };
  };
  try {
    const address = addressOf(limits, request);
    if (address === null || typeof address === "string") return enter(address);
    return address.then((it) => {
      // A client that has already left would be counted forever.
      return request.signal.aborted ? refused(refuse(503), "closing") : enter(it);
    }, fail);
  } catch (cause) {
    return fail(cause);
  }
}
