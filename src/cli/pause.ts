/** The longest time that a timer takes, in milliseconds. */
export const MAX_PAUSE = 2_147_483_647;

/**
 * Waits for a time, or until something ends the waiting.
 *
 * @param ms How long, in milliseconds.
 * @param stop Ends it when it aborts.
 * @param end Ends it when it settles.
 */
export async function pause(
  ms: number,
  stop: AbortSignal,
  end: Promise<unknown> = new Promise(() => {}),
): Promise<void> {
  if (stop.aborted) return;
  let wake = (): void => {};
  const waiting = new Promise<void>((resolve) => wake = resolve);
  const timer = setTimeout(wake, ms);
  stop.addEventListener("abort", wake);
  await Promise.race([waiting, end]);
  stop.removeEventListener("abort", wake);
  clearTimeout(timer);
}
