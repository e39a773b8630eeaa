import { Deferred } from "../stream_channel/errors.ts";
import type { Clock } from "../web_socket/clock.ts";
import { Deadline } from "../web_socket/deadline.ts";
import { TopicsError } from "./topics_error.ts";
import type { TopicsOptions, TopicsRequest } from "./topics_options.ts";

/** How long `authorize` may take, in milliseconds. */
const AUTHORIZE_TIMEOUT = 10_000;

/**
 * Asks the user's `authorize`. Anything but `true` refuses.
 *
 * @param interrupted Rejects when the caller has given up; its reason then rejects the call.
 * @throws {TopicsError} When it refuses, fails or takes too long.
 */
export async function checkAuthorized(
  authorize: NonNullable<TopicsOptions["authorize"]>,
  request: TopicsRequest,
  clock: Clock,
  interrupted?: Promise<never>,
): Promise<void> {
  const late = new Deferred<never>();
  const text = `authorize took longer than ${AUTHORIZE_TIMEOUT} ms`;
  const deadline = new Deadline(clock, {
    ms: AUTHORIZE_TIMEOUT,
    onTime: () => late.reject(new DOMException(text, "TimeoutError")),
  });
  let isAllowed: unknown;
  let failure: { readonly cause: unknown } | undefined;
  try {
    const asked = (async () => await authorize(request))();
    isAllowed = await Promise.race([asked, late.promise, interrupted ?? late.promise]);
  } catch (cause) {
    failure = { cause };
  } finally {
    deadline.clear();
  }
  if (isAllowed === true) return;
  // What has interrupted it is the reason, not a refusal.
  if (interrupted !== undefined) await Promise.race([interrupted, null]);
  throw new TopicsError(`Cannot ${request.action}: it is not authorized`, {
    reason: "unauthorized",
    ...failure,
  });
}
