// The chat's page: this package in a browser, with a channel that reconnects.

import { ReconnectingChannel } from "@web-socket/channel/reconnecting";

/** How long a page counts as typing after the last key, in milliseconds. */
const TYPING = 2000;

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`The page has no element ${id}`);
  return found;
}

const said = element("said");
const text = element("text");
const reconnect = element("reconnect");

/** The name from the server, and the offset of the last line. The next connection uses both. */
let own = "";
let offset = "";
const typing = new Set();
/** This page's lines by id, until the server sends them back. The page sends them again on the next connection. */
const unconfirmed = new Map();

/** @param {import("@web-socket/channel/reconnecting").ReconnectingState} state */
function show(state) {
  const badge = element("state");
  const reason = "info" in state ? state.info.reason : "";
  badge.textContent = reason === "" ? state.name : `${state.name}: ${reason}`;
  badge.dataset.state = state.name;
  reconnect.hidden = state.name !== "waiting";
  if (state.name !== "open") return;
  for (const message of unconfirmed.values()) send(message);
}

/** @param {import("./messages.ts").Said} said */
function add({ from, text, at }) {
  const line = document.createElement("li");
  const name = document.createElement("b");
  name.textContent = from;
  line.title = new Date(at).toLocaleString();
  line.append(name, text);
  said.append(line);
  line.scrollIntoView();
}

function showTyping() {
  const others = [...typing].filter((name) => name !== own);
  element("typing").textContent = others.length === 0 ? "" : `${others.join(", ")} typing …`;
}

/** @param {import("./messages.ts").FromServer} message */
function onMessage(message) {
  if (message.kind === "welcome") {
    own = message.name;
    element("name").textContent = own;
    typing.clear();
  } else if (message.kind === "resync") said.replaceChildren();
  else if (message.kind === "said") {
    offset = message.offset;
    if (message.said.from === own) unconfirmed.delete(message.said.id);
    add(message.said);
  } else if (message.kind === "people") element("people").textContent = message.names.join(", ");
  else if (message.is) typing.add(message.name);
  else typing.delete(message.name);
  showTyping();
}

/** @param {import("./messages.ts").FromPage} message */
function send(message) {
  channel.sink.add(JSON.stringify(message));
}

// The URL is relative to the page: ws: for http:, wss: for https:. The channel queues nothing: see `unconfirmed`.
const channel = ReconnectingChannel.connect(
  () => `/chat?${new URLSearchParams({ ...own && { name: own }, ...offset && { after: offset } })}`,
  { whileAway: "drop", onState: show },
);
channel.stream.listen((message) => onMessage(JSON.parse(String(message))));

let timer;

function stopTyping() {
  if (timer === undefined) return;
  clearTimeout(timer);
  timer = undefined;
  send({ kind: "typing", is: false });
}

text.addEventListener("input", () => {
  if (timer === undefined) send({ kind: "typing", is: true });
  clearTimeout(timer);
  timer = setTimeout(stopTyping, TYPING);
});

element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  stopTyping();
  if (text.value === "") return;
  const message = { kind: "say", id: crypto.randomUUID(), text: text.value };
  unconfirmed.set(message.id, message);
  send(message);
  text.value = "";
});

reconnect.addEventListener("click", () => channel.reconnect());
