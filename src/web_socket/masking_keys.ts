import type { MaskingKeySource } from "../protocol/mask.ts";

/**
 * The number of keys that are generated at a time. A call of the platform for each key would cost more than
 * masking.
 */
const POOL = 1024;

const keys = new Int32Array(POOL);
let used = POOL;

/** Returns a fresh masking key from the platform's cryptographic random numbers. RFC 6455 §5.3 and §10.3. */
export const randomMaskingKeys: MaskingKeySource = () => {
  if (used === POOL) {
    crypto.getRandomValues(keys);
    used = 0;
  }
  return keys[used++] as number;
};
