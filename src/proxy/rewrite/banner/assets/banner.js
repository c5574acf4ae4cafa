// The banner where scripts run. It is first in the head, so it runs before anything of the app's.
// It leaves no node in the page's own tree: the bar lives in a closed shadow root on <body>, so hydration, Turbo,
// htmx and innerHTML neither see nor remove it; the page is moved by a constructed sheet and by animations, so no
// attribute changes either. Only whole-line comments: they are taken out before it is served.
(() => {
"use strict";
const F = __FACTS__;
const SHEET = __SHEET__;
const D = document;
const W = window;
const NS = "http://www.w3.org/1999/xhtml";
const KEY = Symbol.for("locum.banner");
const OURS = "[data-locum]";
const strip = () => { for (const node of D.querySelectorAll(OURS)) node.remove(); };
strip();
if (W[KEY]) return;
Object.defineProperty(W, KEY, { value: 1 });

const styled = text => { const sheet = new CSSStyleSheet(); sheet.replaceSync(text); return sheet; };
const adopt = sheet => {
  if (!D.adoptedStyleSheets.includes(sheet)) D.adoptedStyleSheets = [...D.adoptedStyleSheets, sheet];
};
const colour = F.glass ? "#b00020" : "#ffb000";

// In a frame: marked, no second bar.
if (W.top !== W) {
  const mark = styled("html::after{content:'';position:fixed;inset:0;z-index:2147483647;box-sizing:border-box;" +
    "border:3px solid " + colour + ";pointer-events:none}");
  adopt(mark);
  setInterval(() => adopt(mark), 1000);
  D.addEventListener("DOMContentLoaded", strip);
  return;
}

const make = (tag, name, ...children) => {
  const node = D.createElementNS(NS, tag);
  if (name) node.className = name;
  node.append(...children);
  return node;
};
const both = (long, short) => [make("span", "long", long), make("span", "short", short)];

// The bar.
const label = make("strong", "label", ...(F.glass ? ["BREAK-GLASS", make("span", "long", " SUPPORT SESSION")]
  : ["SUPPORT", make("span", "long", " SESSION")]));
const who = make("span", "who", make("b", "", F.operator), " as ", make("b", "", F.subject), " (" + F.tenant + ")");
const more = make("span", "more", F.ticket + " \u00b7 " + F.scopes);
const lines = make("span", "lines", who, more);
if (F.glass) lines.append(make("span", "note", "everything is recorded"));
const left = make("span", "left");
left.setAttribute("role", "timer");
const why = make("button", "why", ...both("Why am I seeing this?", "Why?"));
why.type = "button";
why.setAttribute("aria-expanded", "false");
why.setAttribute("aria-label", "Why am I seeing this?");
const button = make("button", "", "End", make("span", "long", " session"));
const form = make("form", "end", button);
form.method = "post";
form.action = F.base + "end";
const bar = make("section", "bar" + (F.glass ? " glass" : ""), label, lines, left, why, form);
bar.setAttribute("aria-label", "Support session");
const edge = make("div", "edge" + (F.glass ? " glass" : ""));
const link = make("a", "", "About this session");
link.href = F.base + "session";
const list = make("dl");
for (const [name, value] of [["Operator", F.operator], ["Acts as", F.subject], ["Customer", F.tenant],
  ["Ticket", F.ticket], ["Reason", F.reason], ["May", F.scopes], ["Session", F.session]]) {
  list.append(make("dt", "", name), make("dd", "", value));
}
const panel = make("div", "panel", make("p", "", F.operator + " from support is using this app as " + F.subject +
  ". Each request is checked against what this session may do, and recorded, before it reaches the app."),
  list, make("p", "", link));
panel.hidden = true;
const layer = make("div", "layer", edge, bar, panel);
layer.setAttribute("popover", "manual");
const cover = make("dialog", "cover");
const sheet = styled(SHEET + ".layer{all:initial;position:fixed;inset:0;display:block!important;width:100%;height:100%;" +
  "overflow:visible;pointer-events:none;z-index:2147483647;direction:ltr}@media print{.layer{position:absolute}}");

why.addEventListener("click", () => {
  panel.hidden = !panel.hidden;
  panel.style.top = bar.offsetHeight + "px";
  why.setAttribute("aria-expanded", String(!panel.hidden));
});
layer.addEventListener("keydown", event => {
  if (event.key === "Escape" && !panel.hidden) { why.click(); why.focus(); event.stopPropagation(); }
});

// Where it is: in the shadow root of the body, whichever body that is by now; where that cannot be, beside it.
const roots = new WeakMap();
const rootOf = element => {
  let root = roots.get(element);
  if (!root) {
    root = element.attachShadow({ mode: "closed" });
    root.adoptedStyleSheets = [sheet];
    root.append(D.createElementNS(NS, "slot"));
    roots.set(element, root);
  }
  return root;
};
const spare = make("div");
let root = null;
let over = null;
let source = null;

const home = () => {
  const body = D.body;
  if (!body) return null;
  try {
    if (body.localName === "body" && getComputedStyle(body).display !== "none") {
      const found = rootOf(body);
      if (spare.isConnected) spare.remove();
      return found;
    }
  } catch { }
  if (!spare.isConnected) D.documentElement.append(spare);
  return rootOf(spare);
};

// The top layer: nothing of the page's is above what was put there last.
const raise = () => {
  const focused = root.activeElement;
  try {
    if (layer.matches(":popover-open")) layer.hidePopover();
    layer.showPopover();
  } catch { }
  if (focused && focused !== root.activeElement && layer.contains(focused)) focused.focus({ preventScroll: true });
};
const place = () => {
  const found = home();
  if (!found) return;
  root = found;
  if (layer.parentNode !== root) {
    root.prepend(layer);
    raise();
  } else {
    try { if (!layer.matches(":popover-open")) layer.showPopover(); } catch { }
  }
  if (over && cover.parentNode !== root) root.append(cover);
  if (over && !cover.open) { cover.showModal(); raise(); }
};

// Pushing the page down: a border on the root moves what flows and keeps percentages right.
const push = styled("");
let height = 0;
const fit = () => {
  adopt(push);
  const now = bar.offsetHeight;
  if (!now || now === height) return;
  height = now;
  push.replaceSync("html{border-top:" + height + "px solid transparent!important;box-sizing:border-box!important}");
  for (const move of moved.values()) move.cancel();
  moved.clear();
  padding?.cancel();
  padding = add(D.documentElement, "scrollPaddingTop");
  later(everything);
};
let padding = null;

// What is pinned to the window's top does not flow: it is moved by an animation that adds the bar's height to its
// `top`, whatever that is or becomes.
const moved = new Map();
const add = (element, property) => {
  const move = element.animate({ [property]: [height + "px", height + "px"] },
    { duration: 1, fill: "both", composite: "add" });
  move.finish();
  move.persist?.();
  return move;
};
const pixels = (element, style) => {
  const value = element.computedStyleMap ? element.computedStyleMap().get("top") : null;
  if (value) return value.unit === "px" ? value.value : NaN;
  return parseFloat(style.top);
};
const scrolls = element => {
  for (let at = element.parentElement; at && at !== D.body && at !== D.documentElement; at = at.parentElement) {
    if (/auto|scroll|hidden|overlay/.test(getComputedStyle(at).overflowY)) return true;
  }
  return false;
};
const isPinned = (element, style) => {
  const top = pixels(element, style);
  if (!(top > -W.innerHeight)) return false;
  if (style.position === "sticky") return !scrolls(element);
  const isFixed = style.position === "fixed";
  const parent = element.offsetParent;
  if (isFixed ? parent && parent !== D.body : parent !== D.body || getComputedStyle(D.body).position !== "static" ||
    getComputedStyle(D.documentElement).position !== "static") return false;
  const box = element.getBoundingClientRect();
  const at = box.top + (isFixed ? 0 : W.scrollY);
  const isWide = box.width >= W.innerWidth / 2;
  if (element.style.top) return isWide && at < height && at + box.height > 0;
  if (Math.abs(at - top - parseFloat(style.marginTop)) > 1.5) return false;
  return isFixed || isWide || box.height >= W.innerHeight / 2;
};
const look = element => {
  if (moved.has(element) || !element.isConnected) return;
  const style = getComputedStyle(element);
  if (style.position === "static" || style.position === "relative" || style.display === "none") return;
  if (isPinned(element, style)) moved.set(element, add(element, "top"));
};
const underBar = () => {
  const seen = new Set();
  for (const x of [8, W.innerWidth / 2, W.innerWidth - 24]) {
    for (const y of [2, height / 2, height - 2]) {
      for (const hit of D.elementsFromPoint(x, y)) {
        for (let at = hit; at && at !== D.body && at !== D.documentElement && !seen.has(at); at = at.parentElement) {
          seen.add(at);
        }
      }
    }
  }
  for (const element of seen) look(element);
};
const everything = () => {
  if (!height || !D.body) return;
  let count = 0;
  for (const element of D.body.getElementsByTagName("*")) {
    if (++count > 4000) break;
    look(element);
  }
};
const forget = () => {
  for (const [element, move] of moved) {
    const style = element.isConnected && getComputedStyle(element);
    if (!style || style.position === "relative" || style.position === "static") {
      move.cancel();
      moved.delete(element);
    }
  }
};
const waiting = new Set();
const later = work => {
  if (!waiting.size) requestAnimationFrame(() => {
    const works = [...waiting];
    waiting.clear();
    for (const one of works) one();
  });
  waiting.add(work);
};

// The title: out of the way until the page has settled, since hydration compares it; before it ever after.
let wants = false;
const title = () => {
  const element = D.querySelector("title");
  if (!element || element.namespaceURI !== NS) {
    if (wants && !D.title) D.title = F.prefix + location.hostname;
    return;
  }
  const text = element.textContent;
  const bare = text.split(F.prefix).join("").replace(F.prefix.trimEnd(), "");
  const want = wants ? F.prefix + bare : bare;
  if (text === want || (!wants && !text.includes(F.prefix.trimEnd()))) return;
  if (element.firstChild && element.childNodes.length === 1 && element.firstChild.nodeType === 3) element.firstChild.nodeValue = want;
  else element.textContent = want;
};
const settle = () => setTimeout(() => { wants = true; title(); }, 300);
if (D.readyState === "complete") settle(); else W.addEventListener("load", settle);
setTimeout(() => { wants = true; title(); }, 6000);

// What the page does to its tree.
const watched = new WeakSet();
const observer = new MutationObserver(records => {
  let added = false;
  for (const record of records) {
    for (const node of record.addedNodes) {
      if (node.nodeType !== 1) continue;
      if (node.hasAttribute("data-locum")) node.remove();
      else added = true;
    }
  }
  watch();
  title();
  if (added) later(everythingSoon);
});
const watch = () => {
  const element = D.documentElement;
  if (element && !watched.has(element)) { watched.add(element); observer.observe(element, { childList: true }); }
  const head = D.head;
  if (head && !watched.has(head)) { watched.add(head); observer.observe(head, { childList: true, subtree: true, characterData: true }); }
  const body = D.body;
  if (body && !watched.has(body)) { watched.add(body); observer.observe(body, { childList: true }); strip(); }
  if (body && (!root || !layer.isConnected || !roots.get(body) || layer.parentNode !== roots.get(body))) { place(); fit(); }
};
let soon = 0;
const everythingSoon = () => { if (!soon) soon = setTimeout(() => { soon = 0; everything(); }, 120); };
observer.observe(D, { childList: true });
watch();

// What the page puts into the top layer goes below the bar.
const onTop = event => { if (root && event.target !== layer) { place(); raise(); } };
W.addEventListener("toggle", onTop, true);
D.addEventListener("fullscreenchange", onTop, true);
W.addEventListener("resize", () => { fit(); later(everything); });
W.addEventListener("scroll", () => later(underBar), { capture: true, passive: true });
D.addEventListener("DOMContentLoaded", () => { strip(); watch(); fit(); later(everything); });
W.addEventListener("load", () => later(everything));
new ResizeObserver(fit).observe(bar);

// A modal dialog makes all else inert, the bar too; End must work even so.
W.addEventListener("click", event => {
  if (over || !event.isTrusted || !root || !layer.isConnected) return;
  const box = button.getBoundingClientRect();
  const hits = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
  if (!hits || (event.clientX === 0 && event.clientY === 0) || root.elementFromPoint(event.clientX, event.clientY) === button) return;
  if (button.contains(root.elementFromPoint(event.clientX, event.clientY))) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  form.submit();
}, true);

// Whatever was missed is mended within half a second.
let modals = "";
const check = () => {
  if (D.hidden) return;
  watch();
  if (!root) return;
  place();
  fit();
  title();
  forget();
  underBar();
  const hit = root.elementFromPoint(W.innerWidth / 2, height / 2);
  if (hit && layer.contains(hit)) return;
  const open = [...D.querySelectorAll(":modal")];
  const now = String(open.length) + (open.length ? open[open.length - 1].localName : "");
  if (open.length && now === modals) return;
  modals = now;
  raise();
};
setInterval(check, 400);

// The clock, and the end.
let skew = 0;
const clock = () => {
  if (over) return;
  const rest = Math.ceil((F.expires - Date.now() - skew) / 1000);
  if (rest <= 0) { end({ cause: "has run out of time", ended_at: F.expires, ended_by: "" }); return; }
  const hours = Math.floor(rest / 3600);
  const minutes = Math.floor(rest / 60) % 60;
  const two = number => String(number).padStart(2, "0");
  const text = (hours ? hours + ":" + two(minutes) : minutes) + ":" + two(rest % 60) + " left";
  if (rest <= 120) {
    left.className = "left low";
    left.replaceChildren(text, make("span", "renew shown", " \u00b7 renew by a new request"));
  } else {
    left.className = "left";
    left.replaceChildren(text);
  }
};
const end = news => {
  if (over) return;
  over = news;
  const at = new Date(news.ended_at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const by = news.ended_by ? " by " + news.ended_by : "";
  const words = "The session " + news.cause + by + " at " + at + ".";
  bar.classList.remove("glass");
  edge.classList.remove("glass");
  bar.classList.add("over");
  edge.classList.add("over");
  label.textContent = "SESSION ENDED";
  left.className = "left";
  left.textContent = words;
  why.remove();
  form.remove();
  panel.remove();
  cover.setAttribute("aria-label", "Support session ended");
  cover.append(make("h1", "", "Support session ended"), make("p", "", words),
    make("p", "", "This page is closed. What was done in the session is on record. Close this tab, or ask for a new session if there is more to do."));
  cover.addEventListener("cancel", event => event.preventDefault());
  source?.close();
  place();
};
clock();
setInterval(clock, 1000);

// The session's state as the server has it; only while someone looks, so that hidden tabs hold no connection.
let wait = 2000;
const listen = () => {
  if (source || over || D.hidden || W.origin !== new URL(F.base).origin) return;
  source = new EventSource(F.base + "events");
  source.onmessage = event => {
    wait = 2000;
    const news = JSON.parse(event.data);
    skew = news.now - Date.now();
    if (Math.abs(skew) < 1000) skew = 0;
    if (news.state === "ended") end(news);
    else { F.expires = news.expires_at; clock(); }
  };
  source.onerror = () => {
    if (!source || source.readyState !== 2) return;
    source = null;
    wait = Math.min(wait * 2, 30000);
    setTimeout(listen, wait);
  };
};
const hush = () => { source?.close(); source = null; };
D.addEventListener("visibilitychange", () => { if (D.hidden) hush(); else { listen(); check(); clock(); } });
W.addEventListener("pagehide", hush);
W.addEventListener("pageshow", listen);
if (D.readyState === "complete") listen(); else W.addEventListener("load", listen);
})();
