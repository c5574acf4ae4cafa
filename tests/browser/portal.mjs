// Every page of the portal, as each role has it: no violation that axe-core knows, in light and in dark, on a desktop and on
// the smallest phone; nothing is wider than the screen; the keyboard reaches everything; nothing needs scripts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { OPEN, PAGES, SUBJECT, story } from './lib/pages.mjs';
import { Portal } from './lib/portal.mjs';
import { until } from './lib/programs.mjs';
import { RECORDING } from './lib/recorded.mjs';
import { NO_PAGES, pages, routeOf } from './lib/routes.mjs';
import { shot } from './lib/shots.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const ROUTES = pages();
const PHONE = { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true };
let portal;
let ids;
before(async () => {
  portal = await Portal.set(RECORDING);
  ids = await story(portal);
});
after(async () => { await portal?.stop(); });

// What replays in a frame is the customer's app, of another origin: not ours to judge.
async function violations(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'], iframes: false }));
  return found.violations.map((one) => `${one.id}: ${one.help}\n    ${one.nodes.map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? ''}`).join('\n    ')}`);
}

/** What sticks out of the screen; a table may scroll within itself where the screen is no phone. */
const tooWide = (page) => page.evaluate(() => {
  const width = document.documentElement.clientWidth;
  const out = [...document.querySelectorAll('body *')].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width > 0 && box.right > width + 1 && one.checkVisibility() && !one.closest(width > 820 ? '.unseen, .skip, thead, .table' : '.unseen, .skip, thead');
  });
  if (document.documentElement.scrollWidth > width) out.push(document.documentElement);
  return out.slice(0, 5).map((one) => `${one.outerHTML.slice(0, 120)} ends at ${one.getBoundingClientRect().right}`);
});

const LOOKS = [
  ['light', {}, ''],
  ['dark', { colorScheme: 'dark' }, '-dark'],
  ['phone', PHONE, '-phone'],
  ['phone, dark', { ...PHONE, colorScheme: 'dark' }, null],
];

/** States that the documentation needs no picture of. */
const STATE = /-(unfit|unfound|none|changed|looked-at|denied|void|cancelled|used|customer|own|over|barred|not-whole|given|refused|stopped|failed|answered|checked|not-for-you|such-page|again)$|^forged$/;

/** Pictures for the documentation, beside every page in light. */
const ALSO = ['approval-own', 'request-denied', 'evidence-own', 'evidence-found-dark', 'evidence-found-phone', 'approval-phone', 'live-dark', 'request-new-dark', 'customer-phone', 'session-dark', 'live-phone'];

for (const [look, options, ending] of LOOKS) {
  describe(`every page, ${look}`, () => {
    const people = new Map();
    const seen = new Set();
    const person = async (name) => {
      if (!people.has(name)) people.set(name, await portal.person(name, options));
      return people.get(name);
    };
    after(async () => { for (const one of people.values()) await one.close(); });

    const look_at = async (page, name) => {
      assert.deepEqual(await violations(page), [], name);
      assert.deepEqual(await tooWide(page), [], `${name} fits the screen`);
      assert.deepEqual(page.complaints.filter((text) => !/status of (401|403|404|409|412|422)|^(Error with Permissions-Policy header: )?Unrecognized (feature|Content-Security-Policy directive)/.test(text)), [], name);
      const picture = `${name}${ending}`;
      const wanted = (ending === '' && !STATE.test(name)) || ALSO.includes(picture) || process.env.LOCUM_SCREENSHOTS === 'all';
      if (ending !== null && wanted) await shot(page, `portal-${picture}`);
    };

    for (const [name, who, where] of PAGES) {
      test(name, async () => {
        const one = await person(who);
        one.page.complaints.length = 0;
        const place = where(ids);
        await (typeof place === 'string' ? one.go(place) : place(one));
        await look_at(one.page, name);
        seen.add(routeOf(one.page.url(), ROUTES));
      });
    }

    for (const [name, where] of OPEN) {
      test(name, async () => {
        const { page, close } = await portal.person('nils', options);
        await page.context().clearCookies();
        page.complaints.length = 0;
        await page.goto(portal.origin + where);
        await look_at(page, name);
        seen.add(routeOf(portal.origin + where, ROUTES));
        await close();
      });
    }

    test('no page of the portal is missing here', () => {
      assert.deepEqual(ROUTES.filter((route) => !seen.has(route)), [], `add it to lib/pages.mjs, or say in lib/routes.mjs why it is none: ${Object.keys(NO_PAGES)}`);
    });

    test('consent, asked', async () => {
      const { page, close } = await portal.person('nils', options);
      await page.goto(ids.link);
      await page.getByRole('heading', { name: /May Ada Byron act as lee@globex.example/ }).waitFor();
      assert.equal(new URL(page.url()).hash, '', 'the secret is in no address');
      await look_at(page, 'consent-asked');
      await close();
    });
  });
}

describe('by keyboard', () => {
  test('the first stop skips to the content, and every link of the page can be seen in focus', async () => {
    const { page, go, close } = await portal.person('ada');
    await go('/requests');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
    const stops = await page.locator('main a:visible, main button:visible, main input:visible').count();
    for (let nth = 0; nth < stops; nth += 1) {
      await page.keyboard.press('Tab');
      const seen = await page.evaluate(() => {
        const style = getComputedStyle(document.activeElement);
        return { within: document.activeElement.closest('main') !== null, outline: parseFloat(style.outlineWidth), kind: style.outlineStyle };
      });
      assert.ok(seen.within && seen.outline >= 2 && seen.kind !== 'none', JSON.stringify(seen));
    }
    await close();
  });

  test('on a phone the menu opens without scripts and holds every page', async () => {
    const { page, go, close } = await portal.person('tess', { ...PHONE, javaScriptEnabled: true });
    await go('/live');
    await page.getByText('Menu').click();
    await page.getByRole('link', { name: 'Evidence' }).waitFor();
    await shot(page, 'portal-menu-phone');
    await close();
  });
});

describe('live parts', () => {
  test('a request is weighed while it is typed', async () => {
    const { page, go, close } = await portal.person('ada');
    await go('/requests/new');
    await page.getByLabel('Customer', { exact: true }).fill('Acme');
    await page.getByLabel('Customer’s user').fill(SUBJECT);
    await page.locator('#scopes', { hasText: 'One approval' }).waitFor();
    await page.getByLabel('Ticket').fill('SUP-1042');
    await page.locator('input[name=scopes][value=orders]').check();
    await page.getByLabel('Kind of reason').selectOption('billing');
    await page.getByLabel('Reason', { exact: true }).fill('Order 1 was charged twice');
    await page.locator('#answer h2', { hasText: 'One approval' }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'reason', 'the focus stays');
    assert.ok(await page.locator('input[name=scopes][value=orders]').isChecked());
    await shot(page, 'portal-request-weighed');
    await close();
  });

  test('times are local and tell UTC; the time left counts down; ids are copied whole', async () => {
    const { page, go, close } = await portal.person('tess', { timezoneId: 'America/New_York', locale: 'en-US', permissions: ['clipboard-read', 'clipboard-write'] });
    await go('/live');
    const time = page.locator('td time').first();
    const [shown, told] = [await time.innerText(), await time.getAttribute('title')];
    assert.match(told, /UTC$/);
    assert.ok(!shown.includes('UTC'), shown);
    const left = page.locator('.left').first();
    const first = await left.innerText();
    await until('the clock to move', async () => (await left.innerText()) !== first, 3000);
    const copy = page.locator('button.copy').first();
    if (await copy.count()) {
      await copy.click();
      assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^s[0-9a-z]{26}$/);
    }
    await close();
  });

  test('a session that ends leaves the table by itself', async () => {
    const [tess, ada] = [await portal.person('tess'), await portal.person('ada')];
    await tess.go('/live');
    await tess.page.getByText(SUBJECT).first().waitFor();
    await ada.go('/');
    await ada.page.getByRole('button', { name: `End the session as ${SUBJECT}` }).click();
    await ada.page.waitForURL('**/?done=ended');
    await tess.page.getByText(SUBJECT).first().waitFor({ state: 'detached', timeout: 12_000 });
    await tess.close();
    await ada.close();
  });
});

describe('without scripts', () => {
  test('records are found, one is read whole, and all of them are a file', async () => {
    const { page, go, close } = await portal.person('una', { javaScriptEnabled: false, acceptDownloads: true });
    await go('/evidence');
    await page.getByLabel('Words').fill('/orders/1');
    await page.getByLabel('Kind').selectOption('exchange');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.locator('td', { hasText: 'GET /orders/1' }).first().waitFor();
    await page.getByText('More conditions').click();
    await page.getByLabel('Method').fill('POST');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.locator('td', { hasText: 'POST /orders/1/notes' }).first().waitFor();
    assert.equal(await page.locator('td', { hasText: 'GET /orders/1' }).count(), 0);
    const waiting = page.waitForEvent('download');
    await page.getByRole('link', { name: 'table (CSV)' }).click();
    const file = readFileSync(await (await waiting).path(), 'utf8');
    assert.match(file, /^sequence,time,event,/);
    assert.match(file, /; all\r\n$/);
    await page.getByRole('link', { name: /^Record/ }).first().click();
    await page.getByText('The line fits its own hash').waitFor();
    await close();
  });

  test('a request is checked, sent, answered and taken back', async () => {
    const still = { javaScriptEnabled: false };
    const { page, go, close } = await portal.person('ada', still);
    await go('/requests/new');
    await page.getByLabel('Customer', { exact: true }).fill('Acme');
    await page.getByLabel('Customer’s user').fill(SUBJECT);
    await page.getByLabel('Ticket').fill('SUP-1050');
    await page.locator('input[name=scopes][value=orders]').check();
    await page.getByLabel('Kind of reason').selectOption('billing');
    await page.getByLabel('Reason', { exact: true }).fill('Charged twice');
    await page.getByRole('button', { name: 'Check' }).click();
    await page.locator('#answer h2', { hasText: 'One approval' }).waitFor();
    await page.getByRole('button', { name: 'Send the request' }).click();
    await page.getByText('0 of 1 agreed').waitFor();
    assert.match(await page.locator('main time').first().innerText(), /UTC$/);
    await page.getByRole('button', { name: 'Cancel the request' }).click();
    await page.getByText('The request was cancelled.').waitFor();
    await close();
  });

  test('the consent link is pasted', async () => {
    const { page, close } = await portal.person('nils', { javaScriptEnabled: false });
    await page.goto(`${portal.origin}/consent`);
    await page.getByLabel('The link').fill(ids.link);
    await page.getByRole('button', { name: 'See what is asked' }).click();
    await page.getByRole('button', { name: 'Do not agree' }).click();
    await page.getByText('You did not agree.').waitFor();
    await close();
  });
});
