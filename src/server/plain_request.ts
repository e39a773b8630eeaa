import type { HttpRequest, HttpResponse } from "./http_server.ts";

/** Answers a request that isn't for a WebSocket. */
export type RequestHandler = (request: Request) => Response | Promise<Response>;

/**
 * Answers a request of `node:http` with a handler in the manner of `fetch`.
 *
 * @param message The request.
 * @param response Where the answer goes.
 * @param handler Answers. If it throws, the answer is 500, and nobody is told more.
 * @param secure Whether the request came over TLS.
 */
export async function answerRequest(
  message: HttpRequest,
  response: HttpResponse,
  { handler, secure }: { handler: RequestHandler; secure: boolean },
): Promise<void> {
  try {
    const request = requestOf(message, secure);
    const answer = request === null
      ? new Response("Bad Request\n", { status: 400 })
      : await handler(request);
    await send(answer, response, message.method === "HEAD");
  } catch {
    if (response.headersSent) response.destroy();
    else await send(new Response("Internal Server Error\n", { status: 500 }), response, false);
  }
}

function requestOf(message: HttpRequest, secure: boolean): Request | null {
  const { method = "GET", url = "/", rawHeaders } = message;
  const headers = new Headers();
  try {
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      headers.append(rawHeaders[i] as string, rawHeaders[i + 1] as string);
    }
    // Behind the host, not resolved against it: `//other` is a path.
    const host = headers.get("host") ?? "localhost";
    const target = url.startsWith("/") ? url : "/";
    const href = new URL(`${secure ? "https" : "http"}://${host}${target}`);
    const hasBody = method !== "GET" && method !== "HEAD";
    const init = { method, headers, ...(hasBody ? { body: bodyOf(message), duplex: "half" } : {}) };
    return new Request(href, init);
  } catch {
    return null;
  }
}

function bodyOf(message: HttpRequest): ReadableStream<Uint8Array> {
  const chunks = message[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(new Uint8Array(value));
    },
    async cancel() {
      await chunks.return?.();
    },
  });
}

async function send(answer: Response, response: HttpResponse, headOnly: boolean): Promise<void> {
  const fields: string[] = [];
  for (const [name, value] of answer.headers) fields.push(name, value);
  response.writeHead(answer.status, answer.statusText, fields);
  if (answer.body === null || headOnly) {
    await answer.body?.cancel();
    response.end();
    return;
  }
  const reader = answer.body.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    if (response.destroyed) return await reader.cancel();
    if (!response.write(value)) await room(response);
  }
  response.end();
}

/** Fulfils when there is room, or the client is gone. */
function room(response: HttpResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.removeListener("drain", done);
      response.removeListener("close", done);
      resolve();
    };
    response.once("drain", done);
    response.once("close", done);
  });
}
