// The help page: a chat over a WebSocket, and what happens to orders as server-sent events.
const by = (id) => document.getElementById(id);
const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws`);

function line(from, text) {
  const item = document.createElement("li");
  if (from) {
    const who = document.createElement("strong");
    who.textContent = from;
    item.append(who, " ");
  }
  item.append(text);
  by("chat").append(item);
  item.scrollIntoView({ block: "nearest" });
}

socket.addEventListener("message", (event) => {
  const said = JSON.parse(event.data);
  if (said.type === "hello") line("Piper", said.text);
  else if (said.type === "said") line(said.from, said.text);
  else if (said.type === "refunded") line("Piper", `I asked for a refund of order ${said.order}.`);
  else if (said.type === "error") line("", said.text);
});
socket.addEventListener("close", () => line("", "The chat has ended."));

by("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = by("text").value.trim();
  if (text && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "say", text }));
  by("text").value = "";
});
by("refund").addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "refund", order: Number(by("order").value) }));
});

function pulse(word, state) {
  by("pulse").textContent = word;
  by("pulse").className = `state ${state}`;
}

const events = new EventSource("/events");
events.addEventListener("tick", (event) => {
  const tick = JSON.parse(event.data);
  pulse("live", "done");
  by("count").textContent = tick.orders;
});
events.addEventListener("order", (event) => {
  const { order, what } = JSON.parse(event.data);
  const item = document.createElement("li");
  item.textContent = `Order ${order}: ${what}`;
  by("events").prepend(item);
});
events.addEventListener("error", () => pulse("cut off", "off"));
