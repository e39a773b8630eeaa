import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../src/cli/args.ts";
import { readRecording } from "../../src/cli/recording.ts";

const HEAD = '{"type":"tap","version":1}\n';

Deno.test("W29 recording: contains the client's messages, their times, and the missing parts", () => {
  const lines = [
    { type: "request", connection: 1, at: 5 },
    { type: "message", connection: 1, at: 6, from: "client", kind: "text", text: "a" },
    { type: "message", connection: 1, at: 7, from: "client", kind: "binary", base64: "AQI=" },
    { type: "message", connection: 1, at: 8, from: "server", kind: "text", text: "b" },
    { type: "message", connection: 1, at: 9, from: "client", kind: "text", isCompressed: true },
    {
      type: "message",
      connection: 1,
      at: 9,
      from: "client",
      kind: "text",
      text: "c",
      redacted: true,
    },
    { type: "close", connection: 1, at: 10, from: "client", code: 4000, reason: "x" },
  ];
  assertEquals(readRecording(HEAD + lines.map((it) => JSON.stringify(it)).join("\n")), [{
    id: 1,
    at: 5,
    messages: [
      { at: 6, content: "a" },
      { at: 7, content: Uint8Array.of(1, 2) },
      { at: 9, content: "c" },
    ],
    received: 1,
    close: { at: 10, code: 4000, reason: "x" },
    missing: 1,
    redacted: 1,
  }]);
});

Deno.test("W29 recording: the error of a malformed file names the line", () => {
  for (
    const [text, message] of [
      ["", "the file is empty"],
      ["hello", "line 1: it is not a JSON object"],
      ['{"type":"message"}', "line 1: it is not the first line of a recording"],
      [`${HEAD}5`, "line 2: it is not a JSON object"],
      [
        `${HEAD}{"type":"message","connection":1,"at":1,"from":"client","base64":"?"}`,
        "line 2: its bytes",
      ],
      [`${HEAD}{"type":"request","connection":1}`, 'line 2: its "at" is not a number'],
      [`${HEAD}{"type":"request","connection":1,"at":1e300}`, 'line 2: its "at" is not a number'],
      [
        `${HEAD}{"type":"close","connection":1,"at":1,"from":"client","code":1000,"reason":{}}`,
        "line 2: it has no code and reason",
      ],
      [
        `${HEAD}{"type":"close","connection":1,"at":1,"from":"client","code":1000,"reason":"${
          "é".repeat(62)
        }"}`,
        "line 2: it has no code and reason",
      ],
    ] as const
  ) assertThrows(() => readRecording(text), UsageError, message);
});
