// The chat's page: this package in a browser.

import { WebSocketChannel } from "@web-socket/channel";

/** How long a page counts as typing behind the last key, in milliseconds. */
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

/** @type {WebSocketChannel | null} */
let channel = null;
let own = "";
const typing = new Set();
/** The ids of what is shown: what is in the history may come once more. */
const shown = new Set();

/** @param {"connecting" | "open" | "closed"} state */
function show(state, why = "") {
  const badge = element("state");
  badge.textContent = why === "" ? state : `${state}: ${why}`;
  badge.dataset.state = state;
  reconnect.hidden = state !== "closed";
}

/** @param {import("./messages.ts").Said} said */
function add({ id, from, text, at }) {
  if (shown.has(id)) return;
  shown.add(id);
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
    said.replaceChildren();
    shown.clear();
    message.history.forEach(add);
  } else if (message.kind === "said") add(message.said);
  else if (message.kind === "people") element("people").textContent = message.names.join(", ");
  else if (message.is) typing.add(message.name);
  else typing.delete(message.name);
  showTyping();
}

async function connect() {
  show("connecting");
  // Relative to the page: ws: or wss: as it is http: or https:.
  const opened = channel = WebSocketChannel.connect("/chat");
  try {
    await opened.ready;
    show("open");
    for await (const message of opened.stream) onMessage(JSON.parse(String(message)));
  } catch {
    // `closed` says why.
  }
  const { code, reason, error } = await opened.closed;
  show("closed", reason || (error instanceof Error ? error.message : String(code)));
}

/** @param {import("./messages.ts").FromPage} message */
function send(message) {
  return channel?.state === "open" && channel.sink.add(JSON.stringify(message));
}

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
  if (text.value !== "" && send({ kind: "say", text: text.value })) text.value = "";
});

reconnect.addEventListener("click", () => void connect());

void connect();
