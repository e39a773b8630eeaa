import { internalServerError } from "../../status.ts";
import { isPromiseLike, nameOf } from "../realm/kinds.ts";
import { FULFILLED, ignore } from "../stream_channel/errors.ts";
import { Channel } from "../web_socket/channel.ts";
import type { ChannelCore } from "../web_socket/channel_core.ts";
import { WebSocketChannelError } from "../web_socket/errors.ts";
import type { Message } from "../web_socket/web_socket_channel.ts";
import type { MessageInput } from "../web_socket/web_socket_sink.ts";
import { type ErrorHook, report } from "./error_hook.ts";
import { type ServiceHost, services } from "../web_socket/connection_service.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import {
  type ServerRequest,
  type ServerWebSocketChannel,
  UpgradeServerRequest,
} from "./server_request.ts";

/**
 * Serves one connection. The server calls it once for each channel, as soon as the channel is open and before it reads
 * anything. The calls run independently, so no connection waits for another.
 *
 * When it throws or rejects, the channel closes with 1011, and `onError` gets the error. When it returns, the channel
 * stays open, so its listeners continue to work. Errors caused by the end of the connection are not reported, such as a
 * rejected `flush` or an `add` after the server's `close`: `channel.closed` reports how the connection ended.
 */
export type ConnectionHandler<Context = unknown> = (
  channel: ServerWebSocketChannel<Message, MessageInput, Context>,
) => void | Promise<void>;

/** Names that other libraries use for the option `handler`, for the hint in the error. */
export const HANDLERS = {
  known: { onConnection: 1, onconnection: 1, connection: 1, onConnect: 1, onOpen: 1, open: 1 },
  hint: ". Give it as handler",
};

/** The part of a server that a `ConnectionService` uses. */
export type ServerHost = Pick<ServiceHost, "isClosing" | "onChannel" | "onChannelClosed">;

/** The class of a server's channels. */
type ChannelClass = new (core: ChannelCore, request: ServerRequest) => WebSocketChannel;

/** The stand-in for a server where only the handler has the channels. */
const NO_SERVER: ServerHost = { isClosing: false, onChannel: ignore, onChannelClosed: ignore };

/**
 * Calls a handler, or the `ConnectionService` that is used as one.
 *
 * @param handler The user's handler.
 * @param channel The open channel.
 * @param onError The hook that gets the handler's error.
 * @param server The server, if it tracks its channels.
 * @returns A promise that fulfils when the handler has returned, and never rejects; `null` if it has already returned.
 */
export function serve(
  handler: ConnectionHandler<never>,
  channel: ServerWebSocketChannel,
  onError: ErrorHook | undefined,
  server: ServerHost = NO_SERVER,
): Promise<void> | null {
  const service = services.get(handler);
  if (service === undefined || channel.protocol !== service.protocol) {
    return handle(handler, channel, onError);
  }
  const host: ServiceHost = {
    protocol: UpgradeServerRequest.protocolOf(channel.request as UpgradeServerRequest),
    get isClosing() {
      return server.isClosing;
    },
    create: (core) => new (channel.constructor as ChannelClass)(core, channel.request),
    handle: (its, session) =>
      handle(
        its as ConnectionHandler<never>,
        session as unknown as ServerWebSocketChannel,
        onError,
      ) ?? FULFILLED,
    onChannel: (session) => server.onChannel(session),
    onChannelClosed: (session) => server.onChannelClosed(session),
  };
  return handle((it) => service.serve(it as WebSocketChannel, host), channel, onError);
}

/**
 * Calls a handler.
 *
 * @param handler The user's handler.
 * @param channel The open channel.
 * @param onError The hook that gets the handler's error.
 * @returns A promise that fulfils when the handler has returned, and never rejects; `null` if it has already returned.
 */
function handle(
  handler: ConnectionHandler<never>,
  channel: ServerWebSocketChannel,
  onError: ErrorHook | undefined,
): Promise<void> | null {
  try {
    const result: unknown = handler(
      channel as ServerWebSocketChannel<Message, MessageInput, never>,
    );
    // Many handlers only set listeners; nothing is kept of these calls.
    return isPromiseLike<unknown>(result) ? settled(result, channel, onError) : null;
  } catch (error) {
    onHandlerError(error, channel, onError);
    return null;
  }
}

async function settled(
  result: PromiseLike<unknown>,
  channel: ServerWebSocketChannel,
  onError: ErrorHook | undefined,
): Promise<void> {
  try {
    await result;
  } catch (error) {
    onHandlerError(error, channel, onError);
  }
}

function onHandlerError(
  error: unknown,
  channel: ServerWebSocketChannel,
  onError: ErrorHook | undefined,
): void {
  if (channel.state !== "open" && isOfItsEnd(channel, error)) return;
  report(onError, error, { where: "handler", request: channel.request });
  Channel.coreOf(channel)?.closeOnError(error, internalServerError);
}

/**
 * Whether an error only reports the channel's end: it is the channel's error, or one that an ended channel's sink
 * throws or rejects with.
 */
function isOfItsEnd(channel: ServerWebSocketChannel, error: unknown): boolean {
  return error instanceof WebSocketChannelError || nameOf(error) === "InvalidStateError" ||
    error === Channel.coreOf(channel)?.life.known?.error;
}
