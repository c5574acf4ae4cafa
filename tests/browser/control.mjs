// Who may stand in for whom, walked through in Chromium: each person with a browser of their own, signed in by a real OpenID
// provider. The steps of one story follow each other.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Desk, isOver } from './lib/desk.mjs';
import { until } from './lib/programs.mjs';
import { shot } from './lib/shots.mjs';

const RED = 'rgb(176, 0, 32)';
const GREY = 'rgb(213, 215, 218)';
const SUBJECT = 'kim@acme.example';

let desk;
before(async () => { desk = await Desk.set(); });
after(async () => { await desk?.stop(); });

/** Fills in a new request and sends it; its id. */
async function asks(person, { ticket = 'SUP-1042', reason = 'Order 1 was charged twice' } = {}) {
  const { page } = person;
  await person.go('/requests/new');
  await page.getByLabel('Customer', { exact: true }).fill('Acme');
  await page.getByLabel('Customer’s user').fill(SUBJECT);
  await page.getByLabel('Ticket').fill(ticket);
  await page.getByRole('checkbox', { name: /See orders, invoices/ }).check();
  await page.locator('label', { has: page.locator('#minutes-30') }).click();
  await page.getByLabel('Kind of reason').selectOption('billing');
  await page.getByLabel('Reason', { exact: true }).fill(reason);
  await page.locator('#answer', { hasText: 'Different people must agree' }).waitFor();
  return page;
}

async function sent(person) {
  await person.button('Send the request').click();
  await person.page.waitForURL(/\/requests\/(?!new)/);
  return new URL(person.page.url()).pathname.split('/')[2];
}

/** Signs in again with both factors, as the page asks, and comes back to it. */
async function stepsUp(person, link) {
  await person.page.getByRole('link', { name: link }).click();
  await person.prove('000000');
  await person.page.waitForURL(`${desk.portal}/**`);
}

async function approves(person, id) {
  await person.go('/approvals');
  await person.page.getByRole('link', { name: /^Answer/ }).click();
  await person.page.waitForURL(`**/approvals/${id}`);
  await person.button('Approve').click();
  await person.page.waitForURL('**/approvals?done=approved');
}

describe('asked, agreed to by two, activated, used and ended', () => {
  let ada, id, session;
  after(async () => { await ada?.close(); });

  test('the operator signs in at the provider and asks; the page says beforehand what it takes', async () => {
    ada = await desk.person('ada');
    await ada.heads('Nothing is open');
    await asks(ada);
    await ada.page.evaluate(() => scrollTo(0, 0));
    await shot(ada.page, 'request-new');
    id = await sent(ada);
    await ada.heads('0 of 2 agreed');
    assert.equal((await ada.api(`requests/${id}`)).state, 'pending');
  });

  test('what an emergency allows is never among what she may choose', async () => {
    await ada.go('/requests/new');
    assert.equal(await ada.page.locator('input[value="break-glass"]').count(), 0);
    const fields = {
      app: 'shop', tenant: 'acme', subject: SUBJECT, ticket: 'SUP-1042', minutes: '30', scopes: 'break-glass',
      reason_code: 'billing', reason: 'Order 1 was charged twice', do: 'send',
    };
    const answer = await ada.post('/requests/new', fields);
    assert.ok(answer.status >= 400, `${answer.status}`);
    assert.match(answer.text, /break-glass is not a scope of this app/);
  });

  test('the requester does not agree to it, by neither of two accounts', async () => {
    const { digest } = await ada.api(`requests/${id}`);
    const other = await desk.person('ada-admin');
    for (const person of [ada, other]) {
      await person.go(`/approvals/${id}`);
      assert.equal(await person.cannot(), 'duty.requester');
      assert.equal(await person.button('Approve').count(), 0);
      const answer = await person.post(`/approvals/${id}`, { digest, verdict: 'approve' });
      assert.equal(answer.status, 403);
      assert.match(answer.text, /You asked for this yourself/);
    }
    await other.close();
    assert.deepEqual((await ada.api(`requests/${id}`)).votes, []);
  });

  test('two different people agree; one alone does not do', async () => {
    const ben = await desk.person('ben');
    await ben.go(`/approvals/${id}`);
    assert.match(await ben.main(), /One other person must agree as well/);
    await shot(ben.page, 'approval');
    await approves(ben, id);
    await ben.go(`/approvals/${id}`);
    assert.equal(await ben.cannot(), 'duty.twice');
    await ada.go(`/requests/${id}`);
    await ada.heads('1 of 2 agreed');
    const early = await ada.post(`/requests/${id}/activate`);
    assert.ok(early.status >= 400, `${early.status}`);
    assert.equal((await ada.api(`requests/${id}`)).state, 'pending');
    const cleo = await desk.person('cleo');
    await approves(cleo, id);
    await ben.close();
    await cleo.close();
    await ada.go(`/requests/${id}`);
    await ada.heads('Approved: you may begin');
    await shot(ada.page, 'request-approved');
  });

  test('who agreed does not act', async () => {
    const ben = await desk.person('ben');
    const answer = await ben.post(`/requests/${id}/activate`);
    assert.equal(answer.status, 403);
    assert.match(answer.text, /who agrees never acts/);
    await ben.close();
  });

  test('it does not begin without the second factor', async () => {
    assert.equal(await ada.button('Activate').count(), 0);
    const weak = await ada.post(`/requests/${id}/activate`);
    assert.ok(weak.status >= 400, `${weak.status}`);
    assert.match(weak.text, /stronger factor/);
    // The provider lets her in with a password alone, which it may: what it proves is not enough.
    await ada.page.getByRole('link', { name: 'Sign in again to activate' }).click();
    await ada.prove();
    await ada.heads('That was not enough');
    assert.match(await ada.main(), /step-up\.weak/);
    await shot(ada.page, 'step-up-refused');
    assert.equal(desk.recorded('session.activated').length, 0);
  });

  test('with it, the operator gets a link that opens the shop as the customer, under the banner', async () => {
    await stepsUp(ada, 'Sign in again');
    await ada.heads('Approved: you may begin');
    await ada.button('Activate').click();
    await ada.heads('Your session is ready');
    await shot(ada.page, 'session-ready');
    session = await ada.enter();
    const { page, bar } = session;
    assert.match(await page.locator('header.top .who').innerText(), /Kim Park/);
    const seen = await bar.stands();
    for (const words of ['SUPPORT SESSION', `Ada Byron as ${SUBJECT} (Acme)`, 'SUP-1042', 'End session']) {
      assert.ok(seen.text.includes(words), `${words} in ${seen.text}`);
    }
    await page.getByRole('link', { name: 'Orders' }).click();
    await page.getByRole('heading', { level: 1, name: 'Orders' }).waitFor();
    await bar.stands();
    const [activated] = desk.recorded('session.activated');
    assert.ok(JSON.stringify(activated).includes('ben@support.example cleo@support.example'), JSON.stringify(activated));
    const again = await ada.post(`/requests/${id}/activate`);
    assert.equal(again.status, 409, 'a grant is used once');
  });

  test('what is refused she can ask for, in a form that is filled in', async () => {
    const { page, bar, origin } = session;
    await page.goto(`${origin}/orders/1`);
    await page.locator('textarea, input[name=text]').first().fill('Sent again today, from support');
    await page.locator('form[action$="/notes"] button').click();
    await bar.stands();
    const refusal = await page.locator('main').innerText();
    assert.match(refusal, /order-note|orders\.note/);
    const [exchange] = refusal.match(/\bx[0-9a-z]{20,}\b/);
    await shot(page, 'refusal-elevation');
    const [asking] = await Promise.all([
      page.context().waitForEvent('page'),
      page.getByRole('link', { name: 'Ask for elevation' }).click(),
    ]);
    await asking.getByRole('heading', { name: 'New request' }).waitFor();
    assert.match(await asking.locator('main').innerText(), /You were refused “.*orders\.note/);
    assert.equal(await asking.getByLabel('Customer’s user').inputValue(), SUBJECT);
    assert.equal(await asking.getByLabel('Customer', { exact: true }).inputValue(), 'acme');
    assert.equal(await asking.getByLabel('Ticket').inputValue(), 'SUP-1042');
    assert.ok(await asking.getByRole('checkbox', { name: /add a note/ }).isChecked());
    await shot(asking, 'elevation');
    await asking.getByLabel('Kind of reason').selectOption('billing');
    await asking.getByLabel('Reason', { exact: true }).fill('To tell her that it is refunded');
    await asking.getByRole('button', { name: 'Send the request' }).click();
    await asking.getByRole('heading', { name: '0 of 2 agreed' }).waitFor();
    const asked = await ada.api(`requests/${new URL(asking.url()).pathname.split('/')[2]}`);
    assert.deepEqual([asked.elevates, asked.scopes], [exchange, ['orders']]);
    await asking.getByRole('button', { name: 'Cancel the request' }).click();
    await asking.getByRole('heading', { name: /^Cancelled/ }).waitFor();
    await asking.close();
  });

  test('she ends it from the portal, and the open page is closed off', async () => {
    await session.page.goto(`${session.origin}/`);
    await session.bar.stands();
    await ada.go('/');
    await ada.page.locator('ul.cards li', { hasText: SUBJECT }).first().waitFor();
    await shot(ada.page, 'my-sessions');
    await ada.button(`End the session as ${SUBJECT}`).click();
    await ada.page.waitForURL('**/?done=ended');
    await isOver(session, GREY);
    const { session: ended } = await ada.api(`requests/${id}`);
    await ada.go(`/sessions/${ended}`);
    const told = await ada.main();
    for (const words of ['Ada Byron', 'ben@support.example and cleo@support.example agreed', 'orders.note']) {
      assert.ok(told.includes(words), `${words} in ${told}`);
    }
    await shot(ada.page, 'timeline');
  });
});

describe('the glass is broken, loudly, and somebody else reviews it', () => {
  let eli, session;
  after(async () => { await eli?.close(); });

  const inEmergency = async (incident) => {
    const { page } = eli;
    await eli.go('/break-glass');
    await page.getByLabel('Incident').fill(incident);
    await page.getByLabel('Customer', { exact: true }).fill('Acme');
    await page.getByLabel('Customer’s user').fill(SUBJECT);
    await page.getByLabel('Kind of emergency').selectOption('outage');
    await page.getByLabel(/What is happening/).fill('Checkout is down; she lost her phone and cannot sign in');
  };

  test('nothing opens before the alert was taken, by a receiver that verifies it', async () => {
    eli = await desk.person('eli');
    await inEmergency('INC-7');
    await shot(eli.page, 'emergency');
    await eli.button('Ask in an emergency').click();
    await eli.heads('Approved: you may begin');
    assert.deepEqual(desk.alerts.taken, [], 'asking alone alerts nobody');
    await stepsUp(eli, 'Sign in again to activate');
    await eli.button('Break the glass').click();
    await eli.heads('Your session is ready');
    const alert = desk.alerts.taken.find((one) => one.type === 'break-glass.activated');
    assert.ok(alert, `the alert is there by then: ${JSON.stringify(desk.alerts.taken)}`);
    assert.deepEqual(desk.alerts.refused, []);
    assert.equal(alert.data.severity, 'critical');
    assert.equal(alert.data.operator, 'eli@support.example');
    assert.equal(alert.data.details.incident, 'INC-7');
    assert.match(alert.data.summary, /Eli Roth breaks the glass in Acme/);
  });

  test('the banner is louder; the wider scope lets a customer in again, and still not at their money', async () => {
    session = await eli.enter();
    const { page, bar, origin } = session;
    const seen = await bar.stands({ ground: RED });
    for (const words of ['BREAK-GLASS', 'Eli Roth', SUBJECT, 'everything is recorded']) {
      assert.ok(seen.text.includes(words), `${words} in ${seen.text}`);
    }
    await shot(page, 'break-glass-session');
    await page.goto(`${origin}/account/mfa`);
    await page.getByRole('button', { name: 'Reset two-step verification' }).click();
    await page.getByText('Off', { exact: true }).waitFor();
    await bar.stands({ ground: RED });
    const status = await page.evaluate(async () => {
      const csrf = document.querySelector('input[name=csrf]').value;
      const body = new URLSearchParams({ csrf, card: '4242424242424242' });
      return (await fetch('/account/payment', { method: 'POST', body })).status;
    });
    assert.equal(status, 403);
    const reached = (target) => desk.app.requests().filter((one) => one.method === 'POST' && one.target === target).length;
    assert.equal(reached('/account/mfa/reset'), 1);
    assert.equal(reached('/account/payment'), 0, 'the shop saw nothing of it');
  });

  test('security sees it live, and the operator ends it from the banner', async () => {
    const sam = await desk.person('sam');
    await sam.go('/live');
    await sam.page.locator('tr.alarm', { hasText: 'Eli Roth' }).waitFor();
    await shot(sam.page, 'live-sessions');
    await sam.close();
    await session.bar.click('end', 'button');
    await session.page.getByRole('heading', { level: 1, name: /ended/i }).waitFor();
    assert.equal((await session.page.goto(`${session.origin}/orders`)).status(), 401);
  });

  test('there is no second use before the first is reviewed, and never a review of one’s own', async () => {
    await inEmergency('INC-8');
    assert.equal(await eli.cannot(), 'break-glass.barred', 'said before it is sent');
    await eli.button('Ask in an emergency').click();
    await eli.page.getByText('break-glass.barred', { exact: true }).waitFor();
    await shot(eli.page, 'emergency-barred');
    await eli.go('/break-glass');
    await eli.page.getByRole('link', { name: 'Review of INC-7' }).click();
    await eli.heads('Somebody else reviews this');
    assert.equal(await eli.cannot(), 'duty.reviews-own');
    assert.equal(desk.alerts.taken.filter((one) => one.type === 'break-glass.activated').length, 1);
  });

  test('security reviews what was touched, and certifies; then it is allowed again', async () => {
    const sam = await desk.person('sam');
    await sam.go('/reviews');
    await sam.page.getByRole('link', { name: /^Review it/ }).click();
    await sam.heads('Review of INC-7');
    const told = await sam.main();
    for (const words of ['able to do what the incident needs', '1 of them to change something', 'mfa']) {
      assert.ok(told.includes(words), `${words} in ${told}`);
    }
    await sam.page.getByLabel(/What was touched/).fill('Two-step verification was reset, as the customer asked by telephone. Justified.');
    await sam.page.getByLabel(/What follows/).fill('Tell the customer to turn it on again');
    await shot(sam.page, 'review');
    await sam.button('Certify').click();
    await sam.page.getByText('Certified. The operator may break glass again.').waitFor();
    await sam.close();
    await inEmergency('INC-8');
    await eli.button('Ask in an emergency').click();
    await eli.heads('Approved: you may begin');
    await eli.button('Break the glass').click();
    await eli.heads('Your session is ready');
    assert.equal(desk.alerts.taken.filter((one) => one.type === 'break-glass.activated').length, 2);
  });
});

describe('signed out at the provider', () => {
  test('the session ends, and so does the login here', async () => {
    const ada = await desk.person('ada');
    await asks(ada, { ticket: 'SUP-1043' });
    const id = await sent(ada);
    for (const name of ['ben', 'cleo']) {
      const approver = await desk.person(name);
      await approves(approver, id);
      await approver.close();
    }
    await ada.go(`/requests/${id}`);
    await stepsUp(ada, 'Sign in again to activate');
    await ada.button('Activate').click();
    await ada.heads('Your session is ready');
    const session = await ada.enter();
    await session.bar.stands();
    const page = await ada.page.context().newPage();
    await page.goto(`${desk.issuer}/session/end`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await isOver(session, GREY);
    const [ended] = desk.recorded('login.out');
    assert.ok(JSON.stringify(ended).includes('back-channel'), JSON.stringify(ended));
    await ada.go('/');
    await ada.page.waitForURL(`${desk.issuer}/**`);
    await ada.close();
  });

  test('the customer sees who was there, why and what they did', async () => {
    const kim = await desk.person('kim');
    await kim.heads(/your accounts/);
    await kim.page.getByText('Break-glass', { exact: true }).first().waitFor();
    await kim.page.getByText('Ada Byron as kim@acme.example').first().waitFor();
    await shot(kim.page, 'customer');
    await kim.close();
  });
});
