import { assertThrows } from "@std/assert";
import {
  checkCompressionOptions,
  type CompressionOptions,
} from "../../src/permessage_deflate/compression_options.ts";

Deno.test("Options out of range are a RangeError", () => {
  const wrong: CompressionOptions[] = [
    { serverMaxWindowBits: 7 },
    { clientMaxWindowBits: 16 },
    { serverMaxWindowBits: 9.5 },
    { clientMaxWindowBits: NaN },
    { level: 10 },
    { level: -2 },
    { threshold: -1 },
    { threshold: Infinity },
    { threshold: "1" as unknown as number },
  ];
  for (const options of wrong) {
    assertThrows(() => checkCompressionOptions(options), RangeError, "must be an integer");
  }
  checkCompressionOptions({});
  checkCompressionOptions({
    serverMaxWindowBits: 8,
    clientMaxWindowBits: 15,
    level: -1,
    threshold: 0,
  });
});
