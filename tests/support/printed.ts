/** What a body prints with `console.error`: the arguments of each call. */
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
