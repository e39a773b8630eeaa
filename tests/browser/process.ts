/** The part of `node:process` that tests use, for pages and workers: there is no environment. */

interface Process {
  readonly env: Readonly<Record<string, string | undefined>>;
}

const process: Process = { env: {} };

export default process;
