// Quick view: a small single-page app on the History API and the shop's JSON API.
const root = document.getElementById("app");

function csrf() {
  const found = document.cookie.split("; ").find((one) => one.startsWith("csrf="));
  return found ? decodeURIComponent(found.slice(5)) : "";
}

async function api(path, options = {}) {
  const response = await fetch(path, { headers: { accept: "application/json", ...options.headers }, ...options });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.detail || body.title || `The server answered ${response.status}.`);
  return body;
}

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, call] of Object.entries(value)) node.addEventListener(event, call);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function link(path, attributes, ...children) {
  const click = (event) => {
    if (event.metaKey || event.ctrlKey || event.button !== 0) return;
    event.preventDefault();
    go(path);
  };
  return el("a", { href: path, ...attributes, on: { click } }, ...children);
}

const STATES = { "being packed": "packing", "on its way": "moving", delivered: "done" };
const state = (order) => el("span", { class: `state ${STATES[order.status] || "off"}` }, order.status);

async function list() {
  const [me, orders] = await Promise.all([api("/api/me"), api("/api/orders")]);
  document.title = "Quick view · Harbour & Pine";
  const rows = orders.map((order) => {
    const names = order.lines.map((line) => line.name).join(", ");
    return el("li", {}, link(`/app/orders/${order.id}`, { class: "card row" },
      el("span", { class: "what" }, el("strong", {}, `Order ${order.id}`), el("small", {}, `${order.placed} · ${names}`)),
      state(order), el("span", { class: "sum" }, order.total)));
  });
  return [el("h1", {}, `Hello, ${me.name.split(" ")[0]}`), el("p", { class: "quiet" }, `${orders.length} orders, ${me.tenant_name}`), el("ul", { class: "orders" }, ...rows)];
}

async function one(id) {
  const order = await api(`/api/orders/${id}`);
  document.title = `Order ${id} · Harbour & Pine`;
  const text = el("textarea", { name: "text", rows: 2, "aria-label": "Note", required: "" });
  const wrong = el("p", { class: "wrong", role: "alert", hidden: "" });
  const submit = async (event) => {
    event.preventDefault();
    const headers = { "content-type": "application/json", accept: "application/json", "x-csrf-token": csrf() };
    try {
      await api(`/api/orders/${id}`, { method: "PATCH", headers, body: JSON.stringify({ note: text.value }) });
      show();
    } catch (error) {
      wrong.hidden = false;
      wrong.textContent = error.message;
    }
  };
  const lines = order.lines.map((line) => el("li", {}, `${line.quantity} × ${line.name}, ${line.sum}`));
  const notes = order.notes.map((note) => el("li", {}, el("strong", {}, note.author), " ", el("small", {}, note.on), el("p", {}, note.text)));
  return [
    el("p", { class: "crumb" }, link("/app", {}, "All orders")),
    el("div", { class: "heading" }, el("h1", {}, `Order ${id}`), state(order)),
    el("section", { class: "card" }, el("ul", {}, ...lines), el("p", {}, el("strong", {}, order.total), ` to ${order.address}`), el("h2", {}, "Notes"),
      el("ul", { class: "notes" }, ...notes), el("form", { class: "stack", on: { submit } }, text, wrong, el("button", { class: "button small" }, "Send note"))),
  ];
}

async function show() {
  const match = location.pathname.match(/^\/app\/orders\/(\d+)$/);
  try {
    root.replaceChildren(...(await (match ? one(match[1]) : list())));
  } catch (error) {
    root.replaceChildren(el("section", { class: "card" }, el("h1", {}, "That did not work"), el("p", { class: "wrong" }, error.message)));
  }
}

function go(path) {
  history.pushState(null, "", path);
  show();
}

addEventListener("popstate", show);
show();
