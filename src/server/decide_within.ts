import type { RequestHead } from "../handshake/http_head.ts";
import { refuse } from "../handshake/server_handshake.ts";
import { type AdmissionSettings, decide, type Decision, refused } from "./admission.ts";
import { addressOf, type ConnectionCounter } from "./connection_limits.ts";
import { report } from "./error_hook.ts";
import type { UpgradeServerRequest } from "./server_request.ts";

/** What decides about requests, and how many may come. */
export interface LimitedSettings extends AdmissionSettings {
  readonly limits: ConnectionCounter | undefined;
}

/**
 * As {@linkcode decide}, if the limits of connections let the client in. A connection that they have counted is
 * to leave them when it has closed, or isn't accepted.
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
      // Who has left meanwhile would be counted forever.
      return request.signal.aborted ? refused(refuse(503), "closing") : enter(it);
    }, fail);
  } catch (cause) {
    return fail(cause);
  }
}
