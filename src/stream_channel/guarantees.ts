import { type ChannelLike, partsOf } from "./channel_like.ts";
import { type OptionKinds, readOptions } from "./options.ts";
import { Relay } from "./relay.ts";
import { DelegatingStreamChannel, type StreamChannel } from "./stream_channel.ts";

/** Options of {@linkcode withGuarantees}. */
export interface GuaranteeOptions {
  /**
   * Whether errors put into the sink go on to the inner one. Else the first one closes the channel
   * and rejects `done`. Default `true`.
   */
  allowSinkErrors?: boolean | undefined;
}

const KINDS: OptionKinds<GuaranteeOptions> = { allowSinkErrors: "boolean" };

/**
 * A channel with all six guarantees of {@linkcode StreamChannel}, over anything that has two ends:
 * two streams that know nothing of each other become one connection, whose end both notice. When the
 * inner sink fails, this channel's stream fails with the same error.
 *
 * It reads the inner stream at once (at most one message ahead of its reader), so that it notices
 * the end even without a reader. The inner sink is closed when the user closes this channel's sink,
 * not when the stream ends: close it to release what is behind. `close()` settles when the inner
 * sink's does.
 *
 * @param channel The two ends.
 * @param options See {@linkcode GuaranteeOptions}.
 * @returns The guaranteed channel.
 *
 * @example
 * ```ts
 * import { withGuarantees } from "@web-socket/channel/stream-channel";
 *
 * // An echo, made of a pair of Web Streams.
 * const channel = withGuarantees(new TransformStream<string, string>());
 * channel.sink.add("hello");
 * console.log((await channel.stream.next()).value); // hello
 * await channel.sink.close();
 * console.log((await channel.stream.next()).done); // true
 * ```
 */
export function withGuarantees<In, Out>(
  channel: ChannelLike<In, Out>,
  options?: GuaranteeOptions,
): StreamChannel<In, Out> {
  const { allowSinkErrors } = readOptions(options, KINDS);
  const keepErrors = allowSinkErrors === false;
  const relay = new Relay<In, Out>(partsOf(channel), { joined: true, keepErrors });
  return new DelegatingStreamChannel(relay);
}

/**
 * A channel with guarantee 2 of {@linkcode StreamChannel}: closing its sink ends its stream, before
 * it gives anything more. For something built from a guaranteed channel by steps in between, which
 * have lost it; the other guarantees show through.
 *
 * @param channel The two ends.
 * @returns The channel.
 */
export function withCloseGuarantee<In, Out>(
  channel: ChannelLike<In, Out>,
): StreamChannel<In, Out> {
  const relay = new Relay<In, Out>(partsOf(channel));
  return new DelegatingStreamChannel(relay);
}
