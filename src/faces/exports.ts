export { type WebSocketCloseInfo, WebSocketError } from "./web_socket_error.ts";
export type { FaceOptions, FaceOptionsSource } from "./face_target.ts";
export type { FaceBinaryType } from "./socket_face.ts";
export type {
  ReadyStates,
  WebSocketFace,
  WebSocketFaceClass,
  WebSocketFaceEventMap,
  WebSocketFaceListener,
} from "./web_socket.ts";
export type {
  CloseEventContent,
  FaceCloseEvent,
  FaceErrorEvent,
  FaceMessageEvent,
} from "./face_events.ts";
export type {
  WebSocketOpenInfo,
  WebSocketStreamFace,
  WebSocketStreamFaceClass,
  WebSocketStreamOptions,
} from "./web_socket_stream.ts";
export {
  ConnectError,
  LimitError,
  ProtocolError,
  UnsupportedError,
  WebSocketChannelError,
} from "../web_socket/errors.ts";
export type { WebSocketChannelStatic } from "../web_socket_channel.ts";
export type * from "../channel_types.ts";
