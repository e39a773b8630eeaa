import {
  checkCompressionOptions,
  type CompressionOptions,
} from "../permessage_deflate/deflate_parameters.ts";
import { type OptionKinds, readOptions } from "../stream_channel/options.ts";

const KINDS: OptionKinds<CompressionOptions> = {
  serverNoContextTakeover: "boolean",
  clientNoContextTakeover: "boolean",
  serverMaxWindowBits: "number",
  clientMaxWindowBits: "number",
  threshold: "number",
  level: "number",
};

/**
 * Reads and checks the option `compression`.
 *
 * @param value The option.
 * @throws {TypeError} When a setting is unknown, or of the wrong type.
 * @throws {RangeError} When a number is out of its range.
 */
export function readCompression<T extends boolean | CompressionOptions | undefined>(value: T): T {
  if (typeof value !== "object") return value;
  const read = readOptions<CompressionOptions>(value, KINDS, { within: "compression." });
  checkCompressionOptions(read);
  return read as T;
}
