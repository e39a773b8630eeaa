/** Records the calls of `console.error` in a body: the arguments of each. */
export async function printedBy(body: () => Promise<void>): Promise<unknown[][]> {
  const printed: unknown[][] = [];
  const original = console.error;
  console.error = (...values) => printed.push(values);
  try {
    await body();
  } finally {
    console.error = original;
  }
  return printed;
}
