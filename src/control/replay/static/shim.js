// First in every replayed page: the page's clock stands where it stood then, and what cannot be replayed over HTTP (WebSockets)
// is replayed here. The policy of the page's response keeps it from the network; nothing here is needed for that.
(() => {
"use strict";
const script = document.currentScript;
const at = Number(script.dataset.at);
script.remove();

// The clock: from the moment at which the page was opened on.
const RealDate = Date;
const shift = at - RealDate.now();
const now = () => RealDate.now() + shift;
const Then = new Proxy(RealDate, {
  apply: () => new RealDate(now()).toString(),
  construct: (target, values, self) => Reflect.construct(target, values.length ? values : [now()], self),
  get: (target, name) => name === "now" ? now : Reflect.get(target, name),
});
RealDate.prototype.constructor = Then;
window.Date = Then;

// What would outlive the page, or reach past the policy.
delete Navigator.prototype.serviceWorker;
for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "RTCDataChannel", "WebTransport"]) delete window[name];

// Sockets: what the app sent, when it sent it; what the page sends goes nowhere.
const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
class Replayed extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  constructor(url, protocols) {
    super();
    const address = new URL(url, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    this.url = address.href;
    this.protocol = "";
    this.extensions = "";
    this.bufferedAmount = 0;
    this.binaryType = "blob";
    this.readyState = 0;
    this.onopen = this.onmessage = this.onerror = this.onclose = null;
    this.#timers = [];
    this.#begin(address);
  }
  #timers;
  async #begin(address) {
    const about = new URLSearchParams({ host: address.host, target: address.pathname + address.search });
    const answer = await fetch("/.locum/replay/socket?" + about).catch(() => null);
    const tape = answer && answer.ok ? await answer.json() : null;
    if (!tape) {
      this.#tell(new Event("error"));
      this.#over(1006, "not in the recording");
      return;
    }
    this.protocol = tape.protocol;
    this.readyState = 1;
    this.#tell(new Event("open"));
    for (const one of tape.messages) {
      this.#timers.push(setTimeout(() => this.#take(one), one.after));
    }
  }
  #take(one) {
    if (this.readyState !== 1) return;
    if (one.kind === "close") { this.#over(one.code, one.reason); return; }
    let data = one.text;
    if (one.kind === "binary") {
      const raw = bytes(one.base64);
      data = this.binaryType === "arraybuffer" ? raw.buffer : new Blob([raw]);
    }
    this.#tell(new MessageEvent("message", { data, origin: new URL(this.url).origin }));
  }
  #tell(event) {
    this["on" + event.type]?.call(this, event);
    this.dispatchEvent(event);
  }
  #over(code, reason) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#tell(new CloseEvent("close", { code, reason, wasClean: code !== 1006 }));
  }
  send() { }
  close(code = 1000, reason = "") { this.readyState = 2; setTimeout(() => this.#over(code, reason)); }
}
for (const name of ["CONNECTING", "OPEN", "CLOSING", "CLOSED"]) Replayed.prototype[name] = Replayed[name];
window.WebSocket = Replayed;
})();
