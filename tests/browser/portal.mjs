// Every page of the portal, as each role has it: no violation that axe-core knows, in light and in dark, on a desktop and on
// the smallest phone; nothing is wider than the screen; the keyboard reaches everything; nothing needs scripts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { Portal } from './lib/portal.mjs';
import { until } from './lib/programs.mjs';
import { shot } from './lib/shots.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PHONE = { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true };
const SUBJECT = 'kim@acme.example';
const ASK = {
  do: 'send', app: 'shop', tenant: 'acme', subject: SUBJECT, subject_name: 'Kim Park', scopes: ['view', 'orders'], minutes: '30',
  ticket: 'SUP-1042', reason_code: 'billing', reason: 'Order 1 was charged twice',
};

let portal;
const ids = {};
before(async () => {
  portal = await Portal.set();
  await story();
});
after(async () => { await portal?.stop(); });

const idOf = (answer) => new URL(answer.url).pathname.split('/').pop();

/** Something to see on every page: asked, agreed to, used, ended; an emergency and its review; a lock; a workload. */
async function story() {
  const [ada, bo, ivo, tess, max] = await Promise.all(['ada', 'bo', 'ivo', 'tess', 'max'].map((name) => portal.person(name)));
  const asks = async (who, fields) => {
    const answer = await who.sends('/requests/new', '/requests/new', { ...ASK, ...fields });
    assert.match(answer.url, /\/requests\/q/, answer.text);
    return idOf(answer);
  };
  const agrees = async (id) => {
    await bo.go(`/approvals/${id}`);
    await bo.page.getByRole('button', { name: 'Approve' }).click();
    await bo.page.waitForURL('**/approvals?done=approved');
  };
  const starts = async (who, id) => {
    await who.go(`/requests/${id}`);
    await who.page.getByRole('button', { name: /Activate|Break the glass/ }).click();
    const link = who.page.getByRole('link', { name: 'Open the session' });
    const page = await who.page.context().newPage();
    await page.goto(await link.getAttribute('href'));
    const [session] = new URL(page.url()).hostname.split('.');
    return { session, page, origin: new URL(page.url()).origin };
  };
  ids.used = await asks(ada, {});
  await agrees(ids.used);
  const used = await starts(ada, ids.used);
  ids.session = used.session;
  for (const path of ['/orders', '/orders/1', '/export', '/account']) await used.page.goto(used.origin + path);
  await used.page.goto(`${used.origin}/orders/1`);
  await used.page.locator('textarea, input[name=text]').first().fill('We are looking into it');
  await used.page.locator('form[action$="/notes"] button').click();
  ids.pending = await asks(ada, { ticket: 'SUP-1043', reason: 'A delivery goes to the wrong street', minutes: '60' });
  ids.denied = await asks(ada, { ticket: 'SUP-1044', reason: 'Curious about an order' });
  await bo.go(`/approvals/${ids.denied}`);
  await bo.page.getByLabel(/^Reason/).fill('The ticket is about something else');
  await bo.page.getByRole('button', { name: 'Deny' }).click();
  await bo.page.waitForURL('**/approvals?done=denied');
  ids.approved = await asks(ada, { ticket: 'SUP-1045', scopes: 'view', reason: 'Cannot find an invoice' });
  ids.consent = await asks(ada, { tenant: 'globex', subject: 'lee@globex.example', ticket: 'SUP-2001', scopes: 'view', reason: 'Sees no invoices' });
  await bo.go(`/requests/${ids.consent}`);
  await bo.page.getByRole('button', { name: 'Make the consent link' }).click();
  ids.link = await bo.page.locator('main code', { hasText: '/consent#' }).innerText();
  const emergency = await ivo.sends('/break-glass', '/break-glass', {
    app: 'shop', tenant: 'acme', subject: SUBJECT, incident: 'INC-7', reason_code: 'outage', reason: 'Checkout is down',
  });
  ids.emergency = idOf(emergency);
  const broken = await starts(ivo, ids.emergency);
  await broken.page.goto(`${broken.origin}/account`);
  ids.broken = broken.session;
  await ivo.sends('/', `/sessions/${broken.session}/end`, { from: 'home' });
  await tess.go('/reviews');
  ids.review = new URL(await tess.page.locator('main a.button').first().getAttribute('href'), portal.origin).pathname.split('/').pop();
  await tess.sends('/locks', '/locks', { key: 'operator:mallory@support.example', reason: 'Laptop stolen', hours: '12' });
  const lifted = await tess.sends('/locks', '/locks', { key: 'ticket:SUP-666', reason: 'Smells wrong' });
  assert.equal(lifted.status, 200);
  for (const [id, purpose, day] of [['refunds', 'Refunds that were agreed', '2031-01-31'], ['reports', 'Nightly reports', nextWeek()]]) {
    const done = await max.sends('/workloads/new', '/workloads/new', {
      id: `spiffe://corp.example/billing/${id}`, owner: 'dana@corp.example', system: 'billing', purpose, scopes: 'view',
      apps: 'shop', tenants: 'acme', budget: '50', renew_by: day,
    });
    assert.match(done.url, /done=registered/, done.text);
  }
  await Promise.all([ada, bo, ivo, tess, max].map((who) => who.close()));
}

const nextWeek = () => new Date(Date.now() + 7 * 86_400_000).toISOString().slice(0, 10);

/** Who looks at what; the name is that of the picture. */
const PAGES = [
  ['sessions', 'ada', () => '/'],
  ['requests', 'ada', () => '/requests'],
  ['request-new', 'ada', () => '/requests/new?tenant=acme&subject=kim@acme.example&ticket=SUP-1042'],
  ['request-waits', 'ada', () => `/requests/${ids.pending}`],
  ['request-approved', 'ada', () => `/requests/${ids.approved}`],
  ['request-denied', 'ada', () => `/requests/${ids.denied}`],
  ['approvals', 'bo', () => '/approvals'],
  ['approval', 'bo', () => `/approvals/${ids.pending}`],
  ['approval-own', 'ada', () => `/approvals/${ids.pending}`],
  ['live', 'tess', () => '/live'],
  ['session', 'tess', () => `/sessions/${ids.session}`],
  ['session-end', 'tess', () => `/sessions/${ids.session}/end`],
  ['break-glass', 'ivo', () => '/break-glass'],
  ['reviews', 'tess', () => '/reviews'],
  ['review', 'tess', () => `/reviews/${ids.review}`],
  ['workloads', 'max', () => '/workloads'],
  ['workload-new', 'max', () => '/workloads/new'],
  ['workload-disable', 'max', () => '/workloads/disable?id=spiffe%3A%2F%2Fcorp.example%2Fbilling%2Frefunds'],
  ['policy', 'una', () => '/policy?app=shop&request=POST+/account/mfa/reset&scopes=view,+orders'],
  ['locks', 'tess', () => '/locks'],
  ['evidence', 'una', () => '/evidence'],
  ['evidence-found', 'una', () => '/evidence?words=order*&event=exchange&tenant=acme&order=oldest'],
  ['evidence-nothing', 'una', () => '/evidence?words=nobody-like-that'],
  ['evidence-unfit', 'una', () => '/evidence?words=or*'],
  ['evidence-own', 'mara', () => '/evidence'],
  ['record', 'una', () => '/evidence/2'],
  ['customer', 'mara', () => '/customer'],
  ['not-for-you', 'ada', () => '/evidence'],
  ['nothing-here', 'ada', () => '/requests/qnothing'],
  ['no-role', 'nils', () => '/'],
];

/** Open to everybody. */
const OPEN = [
  ['sign-in', () => '/login?to=/'],
  ['consent', () => '/consent'],
];

async function violations(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
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

/** Pictures for the documentation, beside every page in light. */
const ALSO = ['evidence-found-dark', 'evidence-found-phone', 'approval-phone', 'live-dark', 'request-new-dark', 'customer-phone', 'session-dark', 'live-phone'];

for (const [look, options, ending] of LOOKS) {
  describe(`every page, ${look}`, () => {
    const people = new Map();
    const person = async (name) => {
      if (!people.has(name)) people.set(name, await portal.person(name, options));
      return people.get(name);
    };
    after(async () => { for (const one of people.values()) await one.close(); });

    const look_at = async (page, name) => {
      assert.deepEqual(await violations(page), [], name);
      assert.deepEqual(await tooWide(page), [], `${name} fits the screen`);
      assert.deepEqual(page.complaints.filter((text) => !/status of (403|404|422)/.test(text)), [], name);
      const picture = `${name}${ending}`;
      const wanted = ending === '' || ALSO.includes(picture) || process.env.LOCUM_SCREENSHOTS === 'all';
      if (ending !== null && wanted) await shot(page, `portal-${picture}`);
    };

    for (const [name, who, where] of PAGES) {
      test(name, async () => {
        const { page, go } = await person(who);
        page.complaints.length = 0;
        await go(where());
        await look_at(page, name);
      });
    }

    for (const [name, where] of OPEN) {
      test(name, async () => {
        const { page, close } = await portal.person('nils', options);
        await page.context().clearCookies();
        page.complaints.length = 0;
        await page.goto(portal.origin + where());
        await look_at(page, name);
        await close();
      });
    }

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
    await tess.page.getByText('Nobody is in a customer’s account').waitFor({ timeout: 12_000 });
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
