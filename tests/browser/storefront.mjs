// The shop through Locum as an operator sees it, in Chromium, over TLS that the browser trusts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { contrast } from './lib/colour.mjs';
import { pause, until } from './lib/programs.mjs';
import { alone, setUp } from './lib/shop.mjs';
import { picture, shot } from './lib/shots.mjs';

const RED = 'rgb(176, 0, 32)';
const GREY = 'rgb(213, 215, 218)';

let stage;
before(async () => { stage = await setUp(); });
after(async () => { await stage?.stop(); });

const begin = (...grant) => stage.begin(...grant);
const reached = (method, target) => stage.app.requests().filter((one) => one.method === method && one.target === target).length;

const isRefusal = (...what) => stage.isRefusal(...what);

describe('a session begins and ends', () => {
  test('the start link opens the shop as the customer, without signing in, over h2 and trusted TLS', async () => {
    const { page, issued, response, close } = await begin();
    assert.equal(response.status(), 200);
    assert.match(await page.locator('header.top .who').innerText(), /Kim Park/);
    assert.equal(await page.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol), 'h2');
    assert.equal(await page.evaluate(() => isSecureContext), true);
    const names = (await page.context().cookies()).map((cookie) => cookie.name).sort();
    assert.deepEqual(names, ['__Host-locum', 'csrf'], 'no credential of the customer is in the browser');
    assert.equal(stage.app.requests().at(-1).subject ?? 'kim@acme.example', 'kim@acme.example');
    const again = await page.goto(issued.start);
    assert.equal(again.status(), 401, 'the link is good once');
    await close();
  });

  test('the banner stands on top, says who, as whom, why and for how long, and the title too', async () => {
    const { page, bar, close } = await begin({ scope: 'view,orders' });
    const seen = await bar.stands();
    for (const words of ['SUPPORT SESSION', 'Ada Byron as kim@acme.example (Acme)', 'SUP-1042', 'orders', 'End session']) {
      assert.ok(seen.text.includes(words), `${words} in ${seen.text}`);
    }
    assert.equal(seen.height, 44);
    assert.ok(contrast(seen.ground, seen.ink) >= 11, `contrast ${contrast(seen.ground, seen.ink)}`);
    await until('the title to say so', async () => (await page.title()) === '[Support: Acme] Things that last · Harbour & Pine');
    await shot(page, 'storefront');
    await close();
  });

  test('the time left counts down', async () => {
    const { bar, close } = await begin({ ttl: '5m' });
    await bar.stands();
    // Against the wall clock, however slow the machine is: a second for each second, give or take the rounding.
    const [began, first] = [Date.now(), await bar.left()];
    assert.ok(first > 200 && first <= 300, `${first} s`);
    await until('three seconds less', async () => first - (await bar.left()) >= 3);
    const [passed, later] = [(Date.now() - began) / 1000, await bar.left()];
    assert.ok(Math.abs(first - later - passed) <= 2.5, `${first} then ${later}, ${passed} s later`);
    await close();
  });

  test('the banner is first in the order of the keyboard, and does not trap it', async () => {
    const { page, bar, close } = await begin();
    await bar.stands();
    const isFocused = (name, inner) => bar.ask(name, function focused(inner) { return (inner ? this.querySelector(inner) : this).matches(':focus-visible'); }, inner);
    await page.keyboard.press('Tab');
    assert.equal(await isFocused('why'), true);
    await page.keyboard.press('Tab');
    assert.equal(await isFocused('end', 'button'), true);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content');
    await close();
  });

  test('“Why am I seeing this?” says why, and Escape closes it', async () => {
    const { page, bar, close } = await begin();
    await bar.stands();
    await bar.click('why');
    const text = await bar.ask('panel', function words() { return this.hidden ? '' : this.innerText; });
    assert.match(text, /Order 1 was charged twice/);
    assert.match(text, /recorded/);
    await shot(page, 'why');
    await page.keyboard.press('Escape');
    assert.equal(await bar.ask('panel', function words() { return this.hidden; }), true);
    await close();
  });

  test('the End button ends the session: a page says so, and nothing gets through any more', async () => {
    const { page, bar, issued, close } = await begin();
    await bar.stands();
    await bar.click('end', 'button');
    await page.getByRole('heading', { level: 1, name: /ended/i }).waitFor();
    assert.match(await page.locator('main').innerText(), /kim@acme\.example|Acme/);
    await shot(page, 'ended');
    const before = reached('GET', '/orders');
    const response = await page.goto(`${issued.origin}/orders`);
    assert.equal(response.status(), 401);
    assert.equal(reached('GET', '/orders'), before);
    await close();
  });

  test('a session that runs out warns, then closes the page by itself', async () => {
    const { page, bar, issued, close } = await begin({ ttl: '6s' });
    const seen = await bar.stands();
    assert.match(seen.text, /renew by a new request/);
    const weight = await bar.ask('left', function weight() { return getComputedStyle(this).fontWeight; });
    assert.ok(Number(weight) >= 700);
    const ends = Date.parse(issued.expires_at);
    await until('the bar to turn grey', async () => (await bar.look())?.ground === GREY, 12_000);
    assert.ok(Date.now() - ends < 1500, `${Date.now() - ends} ms after the end`);
    assert.match((await bar.look()).text, /has run out of time/);
    assert.equal((await page.goto(`${issued.origin}/orders`)).status(), 401);
    await close();
  });
});

describe('the shop works as it does alone', () => {
  test('menus: the fixed header lies below the bar, stays there, and can be clicked', async () => {
    const { page, bar, close } = await begin();
    const { height } = await bar.stands();
    const header = page.locator('header.top');
    await until('the header to lie below the bar', async () => Math.round((await header.boundingBox()).y) === height);
    await page.getByRole('link', { name: 'Orders' }).click();
    await page.getByRole('heading', { level: 1, name: 'Orders' }).waitFor();
    await bar.stands();
    await page.mouse.wheel(0, 400);
    await pause(600);
    assert.equal(Math.round((await header.boundingBox()).y), height);
    await page.locator('header .menu summary').click();
    await page.getByRole('link', { name: 'Profile' }).click();
    await page.waitForURL('**/account');
    await bar.stands();
    await close();
  });

  test('the single-page app: JSON, history and reload', async () => {
    const { page, bar, issued, close } = await begin({ scope: 'view,orders' });
    await page.getByRole('link', { name: 'Quick view' }).click();
    await page.getByRole('heading', { level: 1, name: 'Hello, Kim' }).waitFor();
    await page.locator('#app a.row').last().click();
    await page.waitForURL('**/app/orders/*');
    const order = page.url().match(/\d+$/)[0];
    await page.getByRole('heading', { level: 1, name: `Order ${order}` }).waitFor();
    await page.locator('textarea').fill('Sent again today, from support');
    await page.getByRole('button', { name: 'Send note' }).click();
    await page.locator('.notes', { hasText: 'Sent again today' }).waitFor();
    await page.goBack();
    await page.getByRole('heading', { level: 1, name: 'Hello, Kim' }).waitFor();
    await page.goForward();
    await page.getByRole('heading', { level: 1, name: `Order ${order}` }).waitFor();
    await page.reload();
    await page.getByRole('heading', { level: 1, name: `Order ${order}` }).waitFor();
    await bar.stands();
    await until('the title that scripts set', async () => (await page.title()) === `[Support: Acme] Order ${order} · Harbour & Pine`);
    const json = await page.evaluate(async () => {
      const response = await fetch('/api/orders', { headers: { accept: 'application/json' } });
      return { kind: response.headers.get('content-type'), text: await response.text() };
    });
    assert.match(json.kind, /application\/json/);
    assert.ok(!json.text.includes('SUPPORT SESSION') && Array.isArray(JSON.parse(json.text)));
    assert.ok(page.url().startsWith(issued.origin));
    await shot(page, 'spa');
    await close();
  });

  test('server-sent events arrive as they happen', async () => {
    const { page, bar, issued, close } = await begin({ scope: 'view,orders' });
    await page.getByRole('link', { name: 'Help' }).click();
    await page.locator('#pulse', { hasText: 'live' }).waitFor();
    await page.waitForFunction(() => Number(document.getElementById('count').textContent) > 0);
    const second = await page.context().newPage();
    await second.goto(`${issued.origin}/orders/1`);
    await second.locator('textarea, input[name=text]').first().fill('Looking into it');
    await second.locator('form[action$="/notes"] button').click();
    await second.getByText('Looking into it').first().waitFor();
    await page.locator('#events li', { hasText: 'Order 1' }).waitFor({ timeout: 3000 });
    await bar.stands();
    await close();
  });

  test('the chat answers over its WebSocket; a refund is refused and the connection closed', async () => {
    const { page, bar, close } = await begin();
    await page.getByRole('link', { name: 'Help' }).click();
    await page.locator('#chat', { hasText: 'Hello Kim Park' }).waitFor();
    await page.locator('#text').fill('Where is my order?');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.locator('#chat', { hasText: 'Orders leave us within a day' }).waitFor();
    await shot(page, 'live');
    await page.getByRole('button', { name: 'Ask' }).click();
    await page.locator('#chat', { hasText: 'The chat has ended.' }).waitFor();
    assert.ok(!(await page.locator('#chat').innerText()).includes('I asked for a refund'));
    const closed = await page.evaluate(() => new Promise((done) => {
      const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws`);
      socket.onmessage = () => socket.send(JSON.stringify({ type: 'refund', order: 1 }));
      socket.onclose = (event) => done({ code: event.code, reason: event.reason });
    }));
    assert.deepEqual(closed, { code: 1008, reason: 'message not permitted' });
    await until('the record of it', () => stage.locum.records().some((one) => JSON.stringify(one).includes('message not permitted')));
    await bar.stands();
    await close();
  });

  test('its console says nothing that it does not say alone', async () => {
    const pages = ['/', '/orders', '/orders/1', '/app', '/live', '/account', '/account/mfa'];
    const visit = async (page, origin) => {
      for (const one of pages) {
        await page.goto(origin + one);
        await pause(500);
      }
      return page.complaints.map((text) => text.replaceAll(origin, ''));
    };
    const own = await alone(stage.browser);
    const complaintsAlone = await visit(own.page, own.origin);
    await own.stop();
    const { page, issued, close } = await begin({ scope: 'view,security' });
    assert.deepEqual(await visit(page, issued.origin), complaintsAlone);
    await close();
  });
});

describe('what would take the account over is refused', () => {
  test('resetting MFA', async () => {
    const { page, bar, close } = await begin({ scope: 'view,orders,security' });
    await page.locator('header .menu summary').click();
    await page.getByRole('link', { name: 'Security' }).click();
    await page.getByRole('button', { name: 'Reset two-step verification' }).click();
    await isRefusal(page, bar, /MFA|two-step|factor/i, 'pack.mfa-reset');
    assert.equal(reached('POST', '/account/mfa/reset'), 0, 'the shop saw nothing of it');
    await shot(page, 'refusal');
    await close();
  });

  test('exporting data', async () => {
    const { page, bar, close } = await begin();
    await page.locator('header .menu summary').click();
    await page.getByRole('link', { name: 'Export my data' }).click();
    await isRefusal(page, bar, /Exporting/, 'pack.export');
    assert.equal(reached('GET', '/export'), 0, 'the shop saw nothing of it');
    await close();
  });

  test('a script that asks gets a problem document, not a page', async () => {
    const { page, close } = await begin();
    const answer = await page.evaluate(async () => {
      const response = await fetch('/export');
      return { status: response.status, kind: response.headers.get('content-type'), body: await response.json() };
    });
    assert.equal(answer.status, 403);
    assert.match(answer.kind, /^application\/problem\+json/);
    assert.match(JSON.stringify(answer.body), /pack\.export/);
    await close();
  });

  test('what the grant does not carry: a note with the scope view only', async () => {
    const { page, bar, issued, close } = await begin();
    await page.goto(`${issued.origin}/orders/1`);
    await page.locator('textarea, input[name=text]').first().fill('Should not arrive');
    await page.locator('form[action$="/notes"] button').click();
    await isRefusal(page, bar, /./, 'order-note');
    assert.ok(!stage.app.requests().some((one) => one.method === 'POST' && one.session === issued.session));
    await close();
  });
});

describe('revoked while the page is open', () => {
  test('the bar turns grey within a second, the page is covered and nothing can be clicked', async () => {
    const { page, bar, issued, close } = await begin();
    await bar.stands();
    await page.getByRole('link', { name: 'Help' }).click();
    await page.locator('#pulse', { hasText: 'live' }).waitFor();
    await bar.stands();
    const nav = await page.getByRole('link', { name: 'Orders' }).boundingBox();
    stage.locum.revoke(issued.session);
    const began = Date.now();
    const seen = await until('the bar to turn grey', async () => {
      const seen = await bar.look();
      return seen?.ground === GREY ? seen : null;
    }, 5000);
    const took = Date.now() - began;
    assert.ok(took < 1000, `${took} ms`);
    assert.match(seen.text, /SESSION ENDED/);
    assert.match(seen.text, /was revoked by .+ at \d\d:\d\d/);
    const box = await bar.ask('cover', function box() {
      const { width, height } = this.getBoundingClientRect();
      return { width, height, opacity: getComputedStyle(this).opacity, ground: getComputedStyle(this).backgroundColor };
    });
    assert.deepEqual(box, { width: 1280, height: 800, opacity: '1', ground: 'rgb(236, 238, 240)' });
    const before = page.url();
    await page.mouse.click(nav.x + nav.width / 2, nav.y + nav.height / 2);
    for (let presses = 0; presses < 4; presses += 1) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Escape');
    await pause(300);
    assert.equal(page.url(), before);
    assert.equal((await bar.look()).ground, GREY);
    assert.notEqual(await page.evaluate(() => document.activeElement.localName), 'a');
    assert.equal(await page.locator('#pulse').innerText(), 'cut off', 'the event stream is cut');
    assert.match(await page.locator('#chat').innerText(), /The chat has ended\./, 'the WebSocket is cut');
    await shot(page, 'revoked');
    const response = await page.goto(`${issued.origin}/orders`);
    assert.equal(response.status(), 401);
    await close();
  });
});

describe('the banner for everyone, everywhere', () => {
  test('without JavaScript', async () => {
    const { page, bar, issued, close } = await begin({}, { javaScriptEnabled: false });
    const seen = await bar.stands();
    for (const words of ['SUPPORT SESSION', 'Ada Byron', 'kim@acme.example', 'Acme', 'SUP-1042']) assert.ok(seen.text.includes(words), `${words} in ${seen.text}`);
    assert.equal(await page.title(), '[Support: Acme] Things that last · Harbour & Pine');
    await shot(page, 'without-javascript');
    await page.goto(`${issued.origin}/orders`);
    await bar.stands();
    await bar.click('end', 'button');
    await page.getByRole('heading', { level: 1, name: /ended/i }).waitFor();
    await close();
  });

  test('on a phone, 320 pixels wide', async () => {
    const { page, bar, close } = await begin({ scope: 'view,orders' }, { viewport: { width: 320, height: 640 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
    const seen = await bar.stands();
    assert.ok(seen.height <= 110, `${seen.height} px high`);
    for (const words of ['Ada Byron', 'kim@acme.example', 'Acme', 'SUP-1042', 'left', 'End']) assert.ok(seen.text.includes(words), `${words} in ${seen.text}`);
    const button = await bar.ask('end', function box() { return this.querySelector('button').getBoundingClientRect().toJSON(); });
    assert.ok(button.right <= 320 && button.left >= 0 && button.height >= 24, JSON.stringify(button));
    await until('the header to lie below the bar', async () => Math.round((await page.locator('header.top').boundingBox()).y) >= Math.round(seen.height));
    await shot(page, 'phone');
    await close();
  });

  test('in dark mode', async () => {
    const { page, bar, issued, close } = await begin({}, { colorScheme: 'dark' });
    await bar.stands();
    await page.goto(`${issued.origin}/export`);
    const seen = await bar.stands();
    assert.ok(contrast(seen.ground, seen.ink) >= 11);
    const card = await page.locator('main').evaluate((main) => ({ ground: getComputedStyle(main).backgroundColor, ink: getComputedStyle(main).color }));
    assert.ok(contrast(card.ground, card.ink) >= 7, JSON.stringify(card));
    assert.ok(contrast(card.ground, 'rgb(255, 255, 255)') > 10, `the page is dark: ${card.ground}`);
    await shot(page, 'refusal-dark');
    await close();
  });

  test('in a break-glass session it is red and says so', async () => {
    const { page, bar, close } = await begin({ scope: 'view,orders' }, {}, '--break-glass');
    const seen = await bar.stands({ ground: RED });
    assert.match(seen.text, /BREAK-GLASS/);
    assert.match(seen.text, /everything is recorded/);
    assert.ok(contrast(seen.ground, seen.ink) >= 7);
    await shot(page, 'break-glass');
    await close();
  });

  test('on paper', async () => {
    const { page, bar, issued, close } = await begin();
    await page.goto(`${issued.origin}/orders/1`);
    await bar.stands();
    const file = path.join(stage.locum.dir, 'page.pdf');
    writeFileSync(file, await page.pdf({ format: 'A4', printBackground: true }));
    const text = execFileSync('pdftotext', ['-layout', '-f', '1', '-l', '1', file, '-'], { encoding: 'utf8' });
    for (const words of ['SUPPORT SESSION', 'Ada Byron', 'kim@acme.example', 'SUP-1042', 'Order 1']) assert.ok(text.includes(words), `${words} in ${text}`);
    execFileSync('pdftoppm', ['-png', '-r', '60', '-singlefile', file, picture('printed')]);
    await close();
  });
});
