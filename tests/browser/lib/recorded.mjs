// A session that was recorded: what an operator did in the shop, and the words that each page had then.
import assert from 'node:assert/strict';
import { open } from './browser.mjs';
import { Portal } from './portal.mjs';
import { pause, until } from './programs.mjs';

export const RECORDING = ['ordinary', 'sensitive', 'privileged'].map((tier) => `[recording.${tier}]\nrecord = "bodies"\n`).join('\n');

/** The words of a page as people read them; of the banner's clock only that there is one. */
export const words = (target) => target.evaluate(() => document.body.innerText)
  .then((text) => text.replace(/(\d+:)?\d+:\d\d left/g, 'TIME left').trim());

/** How far the banner pushes the page down: nothing where there is no banner. */
export const pushed = (target) => target.evaluate(() => getComputedStyle(document.documentElement).borderTopWidth);

// What each page is, and when it is all there.
const PAGES = [
  ['/', async (page) => page.locator('header.top .who').waitFor()],
  ['/orders', async (page) => page.getByRole('heading', { level: 1, name: 'Orders' }).waitFor()],
  ['/orders/1', async (page) => page.getByRole('heading', { level: 1, name: 'Order 1' }).waitFor()],
  ['/app', async (page) => {
    await page.getByRole('heading', { level: 1, name: 'Hello, Kim' }).waitFor();
    await page.locator('#app a.row').first().waitFor();
  }],
  ['/live', async (page) => {
    await page.locator('#chat', { hasText: 'Hello Kim Park' }).waitFor();
    await page.locator('#pulse', { hasText: 'live' }).waitFor();
    await page.waitForFunction(() => Number(document.getElementById('count').textContent) > 1);
  }],
  ['/account', async (page) => page.getByRole('heading', { level: 1 }).first().waitFor()],
];

export class Recorded {
  static async set() {
    const recorded = new Recorded();
    recorded.portal = await Portal.set(RECORDING);
    try {
      await recorded.operate();
    } catch (error) {
      await recorded.portal.stop();
      throw error;
    }
    return recorded;
  }

  /** Looks at each page, changes one thing, takes one file, and ends the session. */
  async operate() {
    const issued = this.portal.locum.grant({ scope: 'view,orders' });
    this.session = issued.session;
    this.origin = issued.origin;
    this.pages = [];
    const page = await open(this.portal.browser);
    await page.goto(issued.start);
    for (const [target, ready] of PAGES) {
      if (target !== '/') await page.goto(issued.origin + target);
      await ready(page);
      await page.waitForLoadState('load');
      await pause(700);
      const picture = target === '/orders/1' ? await page.screenshot() : undefined;
      this.pages.push({ target, words: await words(page), pushed: await pushed(page), title: await page.title(), picture });
    }
    await page.goto(`${issued.origin}/orders/1`);
    await page.locator('textarea, input[name=text]').first().fill('Sent again today');
    await page.locator('form[action$="/notes"] button').click();
    await page.getByText('Sent again today').first().waitFor();
    this.noted = await words(page);
    await page.goto('about:blank');
    await pause(500);
    this.portal.locum.revoke(issued.session);
    await until('the end of the session to be on record', () => this.portal.locum.records()
      .some((one) => one.metadata.event_code === 'session.ended' && one.locum.session === issued.session));
    await page.context().close();
    assert.equal(this.pages.length, PAGES.length);
  }

  stop() {
    return this.portal.stop();
  }
}
