import type { MaskingKeySource } from "../protocol/mask.ts";

/** How many keys are made at a time: asking the platform for each one would cost more than masking. */
const POOL = 1024;

const keys = new Int32Array(POOL);
let used = POOL;

/**
 * Fresh masking keys from the platform's cryptographic random numbers, each given out once.
 * RFC 6455 §5.3 and §10.3.
 */
export const randomMaskingKeys: MaskingKeySource = () => {
  if (used === POOL) {
    crypto.getRandomValues(keys);
    used = 0;
  }
  return keys[used++] as number;
};
