// What a person sees of the banner on pages that defeat naive ones. `node --test banner.test.mjs`
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { prepare } from './build.mjs';
import { AMBER, GREY, RED, launch, missing, near, open, pause, pixel, serve, shoot, words } from './harness.mjs';

let server;
let browser;
before(async () => {
  server = await serve(await prepare());
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.stop();
});

// Noise of the browser's own: it asks for an icon once, whichever page comes first.
const said = page => page.errors.filter(text => !text.includes('404 (Not Found)'));

async function visit(name, { options, side = 'p', query = '', wait = 1000, ready = 'commit' } = {}) {
  const page = await open(browser, options);
  await page.goto(`${server.url}/${side}/${name}${query}`, { waitUntil: ready });
  await pause(wait);
  return page;
}

const PAGES = [
  'plain', 'nobody', 'react18', 'react19', 'turbo', 'htmx', 'bodyclear', 'htmlclear', 'docopen', 'dialog', 'popover',
  'shadowdialog', 'zindex', 'bodyhidden', 'bodystyle', 'styleself', 'cspnone', 'strictdynamic', 'metacsp', 'trusted',
  'sandbox', 'sandboxscripts', 'slow', 'unclosedcomment', 'unclosedscript', 'headcomment', 'comments', 'frameset',
  'iframe', 'plaintext', 'utf16', 'xhtml', 'fixed', 'sticky', 'shell', 'print',
];

for (const name of PAGES) {
  test(`${name}: whole, on top and quiet within a second`, async () => {
    const bare = await visit(name, { side: 'bare' });
    const page = await visit(name);
    assert.deepEqual(missing(await shoot(page, name)), []);
    assert.deepEqual(said(page).filter(text => !said(bare).includes(text)), []);
    await bare.context().close();
    await page.context().close();
  });

  // Without scripts a body that is not rendered, or that undoes all styles by force, cannot be helped.
  if (['htmx', 'slow', 'bodyhidden', 'bodystyle'].includes(name)) continue;
  test(`${name}: without JavaScript`, async () => {
    const page = await visit(name, { options: { javaScriptEnabled: false }, wait: 400 });
    assert.deepEqual(missing(await shoot(page, `${name}-plain`)), []);
    await page.context().close();
  });
}

test('hydrated documents still work', async () => {
  for (const name of ['react18', 'react19']) {
    const page = await visit(name);
    await page.click('#menu');
    assert.match(await page.textContent('#menu'), /Clicked 1/);
    assert.match(await page.title(), /^\[Support: Acme\] React/);
    assert.equal(await page.evaluate(() => document.querySelectorAll('[data-locum]').length), 0);
    await page.context().close();
  }
});

test('pages swapped by Turbo and htmx keep it, once', async () => {
  for (const name of ['turbo', 'htmx']) {
    const page = await visit(name);
    await page.click('#next');
    await page.waitForSelector('#two');
    await pause(900);
    assert.deepEqual(missing(await shoot(page, `${name}-swapped`)), []);
    assert.match(await page.title(), /^\[Support: Acme\] (?!\[Support)/);
    const bars = (await words(page)).filter(node => node.name === 'Support session' && node.role === 'region');
    assert.equal(bars.length, 1);
    await page.context().close();
  }
});

test('menus of pinned headers stay visible and clickable', async () => {
  for (const name of ['fixed', 'sticky', 'shell']) {
    const page = await visit(name);
    const box = await page.locator('#menu').boundingBox();
    assert.ok(box.y >= 44, `${name}: the menu is at ${box.y}`);
    await page.click('#menu', { timeout: 2000 });
    assert.match(await page.title(), /clicked/);
    if (name !== 'shell') {
      await page.evaluate(() => scrollTo(0, 800));
      await pause(600);
      const pinned = await page.locator('#menu').boundingBox();
      assert.ok(pinned.y >= 44 && pinned.y < 110, `${name}: pinned at ${pinned.y}`);
    }
    await page.context().close();
  }
  const page = await visit('fixed');
  const header = await page.locator('header').boundingBox();
  const aside = await page.locator('aside').boundingBox();
  assert.equal(header.y, 44);
  assert.equal(aside.y, header.y + header.height, 'what was below the header still is');
  await page.context().close();
});

test('pinned headers stay visible and reachable without JavaScript', async () => {
  const page = await visit('fixed', { options: { javaScriptEnabled: false }, wait: 300 });
  const header = await page.locator('header').boundingBox();
  assert.equal(header.y, 44);
  await page.click('#top', { timeout: 2000 });
  await pause(200);
  assert.equal((await page.locator('header').boundingBox()).y, 44);
  const far = await page.locator('#far').boundingBox();
  assert.ok(far.y >= 40 && far.y < 720, `the target is at ${far.y}`);
  await shoot(page, 'fixed-plain');
  await page.context().close();
});

test('fullscreen does not hide it', async () => {
  const page = await visit('fullscreen');
  await page.click('#go');
  await pause(900);
  assert.ok(await page.evaluate(() => document.fullscreenElement !== null));
  assert.deepEqual(missing(await shoot(page, 'fullscreen')), []);
  await page.context().close();
});

test('it says who, for whom, where, why, and how long', async () => {
  const page = await visit('plain');
  const text = (await words(page)).map(node => node.name).join(' | ');
  for (const word of ['SUPPORT', 'Ada Byron', 'kim@acme.example', '(Acme)', 'SUP-1042', 'view only', 'left']) {
    assert.ok(text.includes(word), `${word} in ${text}`);
  }
  const roles = (await words(page)).map(node => node.role);
  assert.ok(!roles.includes('alert') && !roles.includes('status'), 'nothing is announced');
  const before = (await words(page)).find(node => / left$/.test(node.name)).name;
  await pause(1500);
  const later = (await words(page)).find(node => / left$/.test(node.name)).name;
  assert.notEqual(before, later, 'the clock runs');
  await page.context().close();
});

test('first in focus order, no trap, and the disclosure opens', async () => {
  const page = await visit('fixed');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await pause(100);
  await shoot(page, 'why-open');
  const text = (await words(page)).map(node => node.name).join(' | ');
  assert.ok(text.includes('The May invoice does not show'), text);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'menu');
  await page.context().close();
});

test('break-glass is red, striped, and says so', async () => {
  const page = await visit('plain', { query: '?glass=1' });
  const image = await shoot(page, 'glass');
  assert.ok(near(pixel(image, 6, 6), RED), 'ground');
  assert.ok(near(pixel(image, 1, 400), RED), 'frame');
  const text = (await words(page)).map(node => node.name).join(' ');
  assert.match(text, /BREAK-GLASS/);
  assert.match(text, /everything is recorded/);
  await page.context().close();
  const plain = await visit('plain', { query: '?glass=1', options: { javaScriptEnabled: false }, wait: 300 });
  assert.ok(near(pixel(await shoot(plain, 'glass-plain'), 6, 6), RED));
  await plain.context().close();
});

test('phones: two lines, nothing cut off at 320 px', async () => {
  for (const width of [390, 320]) {
    for (const [query, name] of [['', 'phone'], ['?glass=1', 'phone-glass'], ['?left=90', 'phone-low']]) {
      const page = await visit('plain', { query, options: { viewport: { width, height: 640 } } });
      const image = await shoot(page, `${name}-${width}`);
      const ink = x => pixel(image, x, 21).every((value, at) => Math.abs(value - pixel(image, 6, 6)[at]) < 40);
      assert.ok(!ink(width - 9) && ink(width - 5), `${name}-${width}: the End button is whole`);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'no sideways scrolling');
      const top = (await page.locator('h1').boundingBox()).y;
      assert.ok(top > 60 && top < 190, `${name}-${width}: the page begins at ${top}`);
      await page.context().close();
    }
  }
});

test('the last two minutes say what to do', async () => {
  const page = await visit('plain', { query: '?left=90' });
  await shoot(page, 'low');
  assert.match((await words(page)).map(node => node.name).join(' '), /renew by a new request/);
  await page.context().close();
});

test('time up: grey, covered, nothing to click', async () => {
  const page = await visit('fixed', { query: '?left=2', wait: 3200 });
  const image = await shoot(page, 'expired');
  assert.deepEqual(missing(image, GREY, [154, 160, 166]), []);
  await page.mouse.click(150, 74);
  await page.keyboard.press('Tab');
  assert.doesNotMatch(await page.title(), /clicked/);
  await page.context().close();
});

test('revoked while the page is open: grey within a second', async () => {
  const page = await visit('fixed');
  await fetch(`${server.url}/torture/revoke`);
  try {
    await pause(700);
    const image = await shoot(page, 'revoked');
    assert.deepEqual(missing(image, GREY, [154, 160, 166]), []);
    const text = (await words(page)).map(node => node.name).join(' ');
    assert.match(text, /was revoked by root, an administrator at/);
    await page.mouse.click(150, 74);
    assert.doesNotMatch(await page.title(), /clicked/);
  } finally {
    await fetch(`${server.url}/torture/reset`);
    await page.context().close();
  }
});

test('End works, also over a modal dialog', async () => {
  for (const name of ['plain', 'dialog', 'cspnone']) {
    const page = await visit(name);
    await page.mouse.click(1210, 22);
    await page.waitForURL('**/.locum/end');
    assert.match(await page.textContent('h1'), /Support session ended/);
    await shoot(page, 'ended');
    await fetch(`${server.url}/torture/reset`);
    await page.context().close();
  }
});

test('frames are marked, not doubled', async () => {
  const page = await visit('iframe');
  const image = await shoot(page, 'iframe');
  const box = await page.locator('#f').boundingBox();
  assert.ok(near(pixel(image, box.x + 3, box.y + 100), AMBER), 'the frame is marked');
  assert.ok(near(pixel(image, box.x + 200, box.y + 20), [238, 255, 238]), 'and has no bar of its own');
  await page.context().close();
});

test('nothing is given to scripts that fetch', async () => {
  const page = await visit('plain');
  const html = await page.evaluate(async () => (await fetch('/p/plain', { headers: { accept: 'text/html' } })).text());
  assert.ok(!html.includes('locum'));
  await page.context().close();
});

test('anchors land below the bar', async () => {
  const page = await visit('fixed');
  await page.click('#top');
  await pause(300);
  const box = await page.locator('#far').boundingBox();
  assert.ok(box.y >= 40, `the target is at ${box.y}`);
  await page.context().close();
});

test('slow pages show it with their first bytes', async () => {
  const page = await open(browser);
  await page.goto(`${server.url}/p/slow`, { waitUntil: 'commit' });
  await pause(450);
  assert.ok(!(await page.textContent('body')).includes('fourth'), 'still loading');
  assert.deepEqual(missing(await shoot(page, 'slow')), []);
  await page.context().close();
});

test('printed pages carry it', async () => {
  const page = await visit('print');
  await page.emulateMedia({ media: 'print' });
  await pause(500);
  const image = await shoot(page, 'print');
  assert.ok(near(pixel(image, 6, 6), AMBER));
  assert.ok((await page.pdf()).length > 1000);
  await page.context().close();
});

test('the session page and the page after the end', async () => {
  const page = await open(browser);
  await page.goto(`${server.url}/.locum/session`);
  await pause(600);
  await shoot(page, 'session');
  assert.deepEqual(said(page), []);
  assert.match(await page.textContent('dl'), /The May invoice does not show/);
  await page.context().close();
});
