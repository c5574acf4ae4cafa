// The banner as the browser has it. Its shadow root is closed to scripts, so it is looked at through the debugger.
import assert from 'node:assert/strict';
import { until } from './programs.mjs';

const attribute = (node, name) => {
  const at = (node.attributes ?? []).findIndex((one, index) => index % 2 === 0 && one === name);
  return at < 0 ? undefined : node.attributes[at + 1];
};

function* all(node) {
  yield node;
  for (const child of [...(node.shadowRoots ?? []), ...(node.children ?? [])]) yield* all(child);
}

const classes = (node) => (attribute(node, 'class') ?? '').split(' ');

export class Bar {
  static async of(page) {
    const bar = new Bar();
    bar.page = page;
    bar.cdp = await page.context().newCDPSession(page);
    return bar;
  }

  async nodes() {
    const { root } = await this.cdp.send('DOM.getDocument', { depth: -1, pierce: true });
    return [...all(root)];
  }

  /** The section named so, and the bar: the same element where scripts run, one inside it where they do not. */
  async find() {
    const nodes = await this.nodes();
    const section = nodes.find((node) => node.localName === 'section' && attribute(node, 'aria-label') === 'Support session');
    const bar = section && [...all(section)].find((node) => classes(node).includes('bar'));
    return { nodes, section, bar };
  }

  /** Calls `work` in the page with the element of ours that has class `name`, or null if there is none. */
  async ask(name, work, ...values) {
    const { nodes, section, bar } = await this.find();
    if (!bar) return null;
    const root = nodes.flatMap((node) => node.shadowRoots ?? []).find((root) => [...all(root)].includes(section)) ?? section;
    const found = name === 'bar' ? bar : [...all(root)].find((node) => classes(node).includes(name));
    if (!found) return null;
    const { object } = await this.cdp.send('DOM.resolveNode', { backendNodeId: found.backendNodeId });
    const { result, exceptionDetails } = await this.cdp.send('Runtime.callFunctionOn', {
      objectId: object.objectId, functionDeclaration: work.toString(), returnByValue: true,
      arguments: values.map((value) => ({ value })),
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** What the bar says, where it is and what it looks like; null if there is none. */
  look() {
    return this.ask('bar', function look() {
      const style = getComputedStyle(this);
      const box = this.getBoundingClientRect();
      return {
        text: this.innerText.replace(/\s+/g, ' ').trim(),
        top: box.top, left: box.left, width: box.width, height: box.height,
        position: style.position, ground: style.backgroundColor, ink: style.color, window: innerWidth,
      };
    });
  }

  /** The bar, once it is there: pinned to the top over the whole width, in its own colours, with nothing over it. */
  async stands({ ground = 'rgb(255, 176, 0)', within = 5000 } = {}) {
    const seen = await until('the banner to stand', async () => {
      const seen = await this.look();
      return seen && seen.ground === ground && seen.height > 0 ? seen : null;
    }, within);
    assert.equal(seen.position, 'fixed', 'the bar is pinned');
    assert.equal(Math.round(seen.top), 0);
    assert.equal(Math.round(seen.left), 0);
    assert.ok(seen.width >= seen.window - 20, `the bar is as wide as the window: ${seen.width} of ${seen.window}`);
    assert.deepEqual(await this.obscured(seen), [], 'nothing is over the bar');
    return seen;
  }

  /** The points of the bar at which something else would be hit by a click. */
  async obscured(seen) {
    const { bar } = await this.find();
    const own = new Set([...all(bar)].map((node) => node.backendNodeId));
    const faults = [];
    for (const x of [12, seen.width * 0.25, seen.width / 2, seen.width * 0.75, seen.width - 12]) {
      for (const y of [4, seen.height / 2, seen.height - 8]) {
        const hit = await this.cdp.send('DOM.getNodeForLocation', { x: Math.round(x), y: Math.round(y) }).catch(() => ({}));
        if (!own.has(hit.backendNodeId)) faults.push(`${Math.round(x)},${Math.round(y)}`);
      }
    }
    return faults;
  }

  /** Seconds that the bar says are left. */
  async left() {
    const text = (await this.look())?.text ?? '';
    const found = text.match(/(?:(\d+):)?(\d+):(\d\d) left/);
    assert.ok(found, `the bar says how long: ${text}`);
    return Number(found[1] ?? 0) * 3600 + Number(found[2]) * 60 + Number(found[3]);
  }

  /** Clicks the element of ours with class `name` as a person would: with the mouse, where it is. */
  async click(name, inner = '') {
    const at = await this.ask(name, function middle(inner) {
      const box = (inner ? this.querySelector(inner) : this).getBoundingClientRect();
      return { x: box.left + box.width / 2, y: box.top + box.height / 2 };
    }, inner);
    assert.ok(at, `there is a .${name}`);
    await this.page.mouse.click(at.x, at.y);
  }
}
