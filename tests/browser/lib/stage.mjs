// An app behind Locum and a browser in front of it, started in order and stopped in the other.
import assert from 'node:assert/strict';
import { Bar } from './bar.mjs';
import { launch, open } from './browser.mjs';
import { Locum, freePort, scratch } from './programs.mjs';

export class Stage {
  /**
   * `app(dir, ops)` starts the app and returns `{ program, address, … }`; `config` is Locum's file, `upstream` the name
   * in it whose address becomes the app's; `env` is whatever else differs from the file.
   */
  static async set({ name, config, app, upstream, env = {} }) {
    const stage = new Stage();
    const { dir, remove } = scratch(name);
    stage.started = [{ stop: remove }];
    try {
      const ops = await freePort();
      stage.app = await app(dir, ops);
      stage.started.push(stage.app.program);
      const address = `LOCUM_UPSTREAMS__${upstream.toUpperCase().replaceAll('-', '_')}__ADDRESSES`;
      stage.locum = await Locum.start({ dir, ops, app: name, config, env: { [address]: stage.app.address, ...env } });
      stage.started.push(stage.locum);
      const chromium = await launch(stage.locum.ca);
      stage.started.push(chromium);
      stage.browser = chromium.browser;
    } catch (error) {
      await stage.stop();
      throw error;
    }
    return stage;
  }

  async stop() {
    for (const one of this.started.reverse()) await one.stop();
  }

  /** A session that has begun, at the app's front page. `grant` as for [`Locum.grant`], with `more` arguments. */
  async begin(grant = {}, options = {}, ...more) {
    const issued = this.locum.grant(grant, ...more);
    const page = await open(this.browser, options);
    const response = await page.goto(issued.start);
    assert.equal(page.url(), `${issued.origin}/`);
    const bar = await Bar.of(page);
    return { issued, page, bar, response, close: () => page.context().close() };
  }

  /** Whether the page refuses, by `rule`, and quotes an exchange that is on record with it. */
  async isRefusal(page, bar, heading, rule) {
    await page.getByRole('heading', { level: 1, name: heading }).waitFor();
    const text = await page.locator('main').innerText();
    assert.ok(text.includes(rule), `${rule} in ${text}`);
    const exchange = text.match(/\bx[0-9a-z]{20,}\b/)?.[0];
    assert.ok(exchange, `an exchange id in: ${text}`);
    const record = this.locum.records().find((one) => JSON.stringify(one).includes(exchange));
    assert.ok(record && JSON.stringify(record).includes(rule), 'the refusal is on record');
    await bar.stands();
  }
}
