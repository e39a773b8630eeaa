/** The platform on which the code runs. */
export type Platform = "deno" | "node" | "bun" | "browser";

interface PlatformGlobals {
  Deno?: { version?: { deno?: string } };
  Bun?: { version?: string };
  process?: { versions?: { node?: string } };
}

/** Returns the platform on which the code runs. An unknown one counts as a browser. */
export function platform(): Platform {
  const globals = globalThis as PlatformGlobals;
  if (typeof globals.Deno?.version?.deno === "string") return "deno";
  if (typeof globals.Bun?.version === "string") return "bun";
  if (typeof globals.process?.versions?.node === "string") return "node";
  return "browser";
}
