import { assert, assertEquals } from "@std/assert";
import { randomMaskingKeys } from "../../src/web_socket/masking_keys.ts";

Deno.test("masking keys are 32-bit numbers, and each is used once", () => {
  const keys = Array.from({ length: 5000 }, randomMaskingKeys);
  for (const key of keys) assertEquals(key | 0, key);
  // Among 5,000 random keys, two are equal with a probability of 0.3 %, and three pairs with one of 1 in 10 million.
  assert(new Set(keys).size > keys.length - 3, `${new Set(keys).size}`);
});

Deno.test("attack 17: masking keys come from the platform's cryptographic random numbers", () => {
  const genuine = crypto.getRandomValues;
  let asked = 0;
  crypto.getRandomValues = (array) => {
    asked += array?.byteLength ?? 0;
    return genuine.call(crypto, array) as typeof array;
  };
  try {
    for (let i = 0; i < 4096; i++) randomMaskingKeys();
  } finally {
    crypto.getRandomValues = genuine;
  }
  assertEquals(asked, 4 * 4096);
});
