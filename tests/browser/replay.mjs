// What was recorded is shown again in the portal: each page with the words that the operator saw, and from nowhere but the recording.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { pause, until } from './lib/programs.mjs';
import { Recorded, pushed, words } from './lib/recorded.mjs';
import { picture, shot } from './lib/shots.mjs';

let recorded;
before(async () => { recorded = await Recorded.set(); });
after(async () => { await recorded?.stop(); });

const own = () => new RegExp(`^https://[a-z2-7]{26}(-\\d+)?\\.replay\\.localhost:${new URL(recorded.portal.origin).port}/`);

/** Somebody who looks, with every address that their browser asks for from then on. */
async function viewer(name, reason = 'Review of SUP-1042') {
  const person = await recorded.portal.person(name);
  person.asked = [];
  person.page.context().on('request', (request) => person.asked.push(request.url()));
  await person.go(`/sessions/${recorded.session}/recording`);
  await person.page.getByLabel('Reason').fill(reason);
  await person.page.getByRole('button', { name: 'Look at the recording' }).click();
  await person.page.getByRole('link', { name: /^See the page/ }).first().waitFor();
  return person;
}

/** Where each recorded page is in the portal, by what it was: the first time it was opened. */
async function links(person) {
  await person.go(`/sessions/${recorded.session}/recording`);
  const all = await person.page.getByRole('link', { name: /^See the page/ })
    .evaluateAll((links) => links.map((link) => [link.closest('section').getAttribute('aria-label'), link.getAttribute('href')]));
  return new Map(all.reverse());
}

/** The frame that a page of the portal replays in. */
async function replayed(person, link) {
  await person.go(link);
  return until('the replay', async () => {
    const frame = person.page.frames().find((one) => own().test(one.url()));
    return frame && await frame.evaluate(() => document.readyState === 'complete' && document.body !== null).catch(() => false) ? frame : null;
  });
}

describe('a recorded session', () => {
  test('is looked at only with a reason, which is on record', async () => {
    const tess = await recorded.portal.person('tess');
    await tess.go(`/sessions/${recorded.session}/recording`);
    assert.match(await tess.page.locator('main').innerText(), /go on record/);
    const empty = await tess.sends(`/sessions/${recorded.session}/recording`, `/sessions/${recorded.session}/recording`, { reason: '  ' });
    assert.equal(empty.status, 422);
    await tess.go(`/sessions/${recorded.session}/recording`);
    await tess.page.getByLabel('Reason').fill('The customer asked what we did');
    await shot(tess.page, 'recording-reason');
    await tess.page.getByRole('button', { name: 'Look at the recording' }).click();
    await tess.page.getByRole('heading', { level: 1, name: /^Recording of/ }).waitFor();
    await shot(tess.page, 'recording');
    const view = await until('the record of it', () => recorded.portal.locum.records().find((one) => one.metadata.event_code === 'recording.viewed'));
    assert.equal(view.locum.by, 'tess@support.example');
    assert.equal(view.locum.why, 'The customer asked what we did');
    assert.equal(view.locum.session, recorded.session);
    await tess.close();
  });

  test('is not for operators, approvers, or the customer’s auditors unless it is said so', async () => {
    for (const name of ['ada', 'bo', 'mara', 'max', 'nils']) {
      const person = await recorded.portal.person(name);
      const response = await person.go(`/sessions/${recorded.session}/recording`);
      assert.ok([403, 404].includes(response.status()), `${name}: ${response.status()}`);
      const sent = await person.sends('/consent', `/sessions/${recorded.session}/recording`, { reason: 'Curious' }).catch(() => ({ status: 403 }));
      assert.ok([403, 404].includes(sent.status), `${name}: ${sent.status}`);
      await person.close();
    }
  });

  test('shows each page with the words that the operator saw, from the recording alone', async () => {
    const una = await viewer('una');
    const found = await links(una);
    for (const seen of recorded.pages) {
      const link = found.get(seen.target);
      assert.ok(link, `${seen.target} among ${[...found.keys()]}`);
      const frame = await replayed(una, link);
      let last = '';
      await until(`${seen.target} to read as it did`, async () => (last = await words(frame)) === seen.words, 20_000)
        .catch(() => assert.equal(last, seen.words, seen.target));
      assert.equal(await pushed(frame), seen.pushed, `the banner on ${seen.target}`);
      if (seen.picture) {
        writeFileSync(`${picture('replay-operator')}.png`, seen.picture);
        await shot(una.page, 'replay');
      }
    }
    const port = new URL(recorded.portal.origin).port;
    const strange = una.asked.filter((url) => !url.startsWith(`${recorded.portal.origin}/`) && !own().test(url) && !/^(data|blob):/.test(url));
    assert.deepEqual(strange, [], `nothing but the portal and the replays at port ${port} was asked for`);
    assert.ok(una.asked.some((url) => own().test(url)));
    await una.close();
  });

  test('opens one exchange: fields, bodies, messages, and what proves it', async () => {
    const tess = await viewer('tess');
    await tess.page.getByRole('link', { name: /POST .*\/notes/ }).first().click();
    await tess.page.getByRole('heading', { level: 1, name: /POST/ }).waitFor();
    const note = await tess.page.locator('main').innerText();
    assert.match(note, /Sent\+again\+today|Sent again today/);
    assert.match(note, /Rule\s+order-note/);
    assert.match(note, /SHA-256/);
    assert.match(note, /Record \d+/);
    await shot(tess.page, 'recording-exchange');
    await tess.go(`/sessions/${recorded.session}/recording`);
    await tess.page.getByRole('link', { name: /GET \/ws/ }).first().click();
    await tess.page.getByText('Hello Kim Park').first().waitFor();
    await tess.close();
  });

  test('a replay cannot be opened by others, by itself, twice by its link, or after signing out', async () => {
    const tess = await viewer('tess');
    const link = (await links(tess)).get('/orders');
    const frame = await replayed(tess, link);
    const address = frame.url();
    const top = await tess.page.context().newPage();
    assert.equal((await top.goto(address)).status(), 403, 'in a window of its own');
    const una = await viewer('una');
    const stolen = await una.page.evaluate(async (address) => {
      const inner = document.createElement('iframe');
      inner.src = address;
      document.body.append(inner);
      await new Promise((done) => { inner.onload = done; setTimeout(done, 2000); });
      return inner.contentDocument === null;
    }, address);
    assert.ok(stolen, 'in a frame of somebody else’s');
    const source = await tess.page.locator('iframe.replay').getAttribute('src');
    await tess.page.evaluate((source) => { document.querySelector('iframe.replay').src = source; }, source);
    await until('the link to be used up', async () => {
      const text = await tess.page.frames().at(-1).evaluate(() => document.body.innerText).catch(() => '');
      return /used before|too old/.test(text);
    });
    const last = await replayed(tess, link);
    const asks = () => last.evaluate(() => fetch('/orders').then((one) => one.status, () => 0));
    assert.equal(await asks(), 200);
    await top.goto(`${recorded.portal.origin}/evidence`);
    await top.evaluate(() => fetch('/logout', { method: 'POST', body: new URLSearchParams({ csrf: document.querySelector('input[name=csrf]').value }) }));
    assert.ok([403, 404].includes(await asks()), 'over once the viewer has signed out');
    await una.close();
    await tess.close();
  });
});

describe('a hostile page in a replay', () => {
  test('reaches no network, no portal, no window', async () => {
    const heard = [];
    const sink = createServer((request, response) => { heard.push(request.url); response.writeHead(200, { 'access-control-allow-origin': '*' }).end('x'); });
    await new Promise((done) => sink.listen(0, '127.0.0.1', done));
    const outside = `http://127.0.0.1:${sink.address().port}`;
    const tess = await viewer('tess');
    const link = (await links(tess)).get('/orders');
    const attack = async (name, run, ...values) => {
      const frame = await replayed(tess, link);
      const before = tess.page.url();
      const came = await Promise.race([frame.evaluate(run, values).catch((error) => `threw ${error.message.split('\n')[0]}`), pause(3000).then(() => 'nothing came')]);
      await pause(400);
      assert.equal(tess.page.url(), before, `${name}: the portal’s page stays`);
      return came;
    };
    const portal = recorded.portal.origin;
    const fails = /threw|nothing came|blocked|null|false/;
    assert.match(String(await attack('fetch out', ([to]) => fetch(`${to}/fetch`).then((one) => one.status), outside)), fails);
    assert.match(String(await attack('fetch the portal', ([to]) => fetch(`${to}/api/v1/whoami`, { credentials: 'include' }).then((one) => one.text()), portal)), fails);
    assert.match(String(await attack('no-cors to the portal', ([to]) => fetch(`${to}/live`, { mode: 'no-cors', credentials: 'include' }).then((one) => one.type), portal)), fails);
    await attack('an image', ([to]) => { const image = new Image(); image.src = `${to}/image`; document.body.append(image); }, outside);
    await attack('a script', ([to]) => { const script = document.createElement('script'); script.src = `${to}/script`; document.head.append(script); }, outside);
    await attack('a style', ([to]) => { const style = document.createElement('style'); style.textContent = `@import "${to}/style"; body { background: url(${to}/background) }`; document.head.append(style); }, outside);
    await attack('a beacon', ([to]) => navigator.sendBeacon(`${to}/beacon`, 'x'), outside);
    await attack('an inner frame', ([to]) => { const inner = document.createElement('iframe'); inner.src = `${to}/frame`; document.body.append(inner); }, outside);
    await attack('a form', ([to]) => { const form = document.createElement('form'); form.action = `${to}/form`; form.method = 'post'; document.body.append(form); form.submit(); }, outside);
    await attack('a form to the portal', ([to]) => { const form = document.createElement('form'); form.action = `${to}/locks`; form.method = 'post'; document.body.append(form); form.submit(); }, portal);
    await attack('itself elsewhere', ([to]) => { location.href = `${to}/self`; }, outside);
    await attack('itself to the portal', ([to]) => { location.href = `${to}/live`; }, portal);
    assert.ok(!tess.page.frames().some((one) => one !== tess.page.mainFrame() && one.url().startsWith(portal)), 'no page of the portal is in the frame');
    await attack('the top', ([to]) => { window.top.location.href = `${to}/top`; }, outside);
    assert.match(String(await attack('a window', ([to]) => String(window.open(`${to}/window`)), outside)), fails);
    assert.match(String(await attack('the portal’s page', () => window.parent.document.cookie)), fails);
    assert.match(String(await attack('a cookie for the portal', () => { document.cookie = 'csrf=evil; Domain=localhost; Path=/'; return document.cookie.includes('evil'); })), fails);
    const old = await attack('a plain WebSocket', ([to]) => new Promise((done) => {
      const inner = document.createElement('iframe');
      document.body.append(inner);
      const socket = new inner.contentWindow.WebSocket(`${to.replace('http', 'ws')}/socket`);
      socket.onopen = () => done('open');
      socket.onerror = () => done('blocked');
    }), outside);
    assert.match(String(old), fails);
    const worker = await attack('a service worker', () => 'serviceWorker' in navigator);
    assert.equal(worker, false);
    assert.deepEqual(heard, [], 'nothing came out');
    const locks = await recorded.portal.locum.records().filter((one) => one.metadata.event_code === 'lock.set');
    assert.deepEqual(locks, []);
    sink.close();
    await tess.close();
  });
});
