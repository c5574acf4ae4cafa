// Every page of the portal in each of its states, who looks at it, and the story that makes it so.
import assert from 'node:assert/strict';
import { until } from './programs.mjs';

export const SUBJECT = 'kim@acme.example';
const ASK = {
  do: 'send', app: 'shop', tenant: 'acme', subject: SUBJECT, subject_name: 'Kim Park', scopes: ['view', 'orders'], minutes: '30',
  ticket: 'SUP-1042', reason_code: 'billing', reason: 'Order 1 was charged twice',
};
const EMERGENCY = {
  app: 'shop', tenant: 'acme', subject: SUBJECT, incident: 'INC-7', reason_code: 'outage', reason: 'Checkout is down',
};

const idOf = (answer) => new URL(answer.url).pathname.split('/').pop();
const nextWeek = () => new Date(Date.now() + 7 * 86_400_000).toISOString().slice(0, 10);

async function asks(who, fields) {
  const answer = await who.sends('/requests/new', '/requests/new', { ...ASK, ...fields });
  assert.match(answer.url, /\/requests\/q/, answer.text);
  return idOf(answer);
}

/** Somebody presses the button on the request's page, and uses the link that comes of it. */
async function starts(who, id) {
  await who.go(`/requests/${id}`);
  await who.page.getByRole('button', { name: /Activate|Break the glass/ }).click();
  const link = who.page.getByRole('link', { name: 'Open the session' });
  const page = await who.page.context().newPage();
  await page.goto(await link.getAttribute('href'));
  const [session] = new URL(page.url()).hostname.split('.');
  return { session, page, origin: new URL(page.url()).origin };
}

/** Asked, agreed to, denied, taken back, used, and not used yet. */
async function requests(ids, ada, bo) {
  const agrees = async (id) => {
    await bo.go(`/approvals/${id}`);
    await bo.page.getByRole('button', { name: 'Approve' }).click();
    await bo.page.waitForURL('**/approvals?done=approved');
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
  ids.cancelled = await asks(ada, { ticket: 'SUP-1046', reason: 'Asked twice' });
  await ada.sends(`/requests/${ids.cancelled}`, `/requests/${ids.cancelled}/cancel`, {});
  ids.ready = await asks(ada, { subject: 'noor@acme.example', subject_name: 'Noor Vance', ticket: 'SUP-1047', scopes: 'view', reason: 'The list of orders is empty' });
  await ada.sends(`/requests/${ids.ready}`, `/requests/${ids.ready}/activate`, {});
  ids.consent = await asks(ada, { tenant: 'globex', subject: 'lee@globex.example', ticket: 'SUP-2001', scopes: 'view', reason: 'Sees no invoices' });
  await bo.go(`/requests/${ids.consent}`);
  await bo.page.getByRole('button', { name: 'Make the consent link' }).click();
  ids.link = await bo.page.locator('main code', { hasText: '/consent#' }).innerText();
}

async function glass(ids, portal, ivo, tess) {
  ids.emergency = idOf(await ivo.sends('/break-glass', '/break-glass', EMERGENCY));
  const broken = await starts(ivo, ids.emergency);
  await broken.page.goto(`${broken.origin}/account`);
  ids.broken = broken.session;
  await ivo.sends('/', `/sessions/${broken.session}/end`, { from: 'home' });
  await tess.go('/reviews');
  const first = await tess.page.locator('main a.button').first().getAttribute('href');
  ids.review = new URL(first, portal.origin).pathname.split('/').pop();
  await until('the session to be over', () => portal.locum.records()
    .some((one) => one.metadata.event_code === 'session.ended' && one.locum.session === ids.broken));
}

async function locksAndWorkloads(tess, max) {
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
}

/** Three changes of Locum's own rules: one that a newer one made void, one denied, and one that waits for its second vote. */
async function changes(ids, portal, tess, max) {
  const brings = async (from, to, known) => {
    portal.rules(from, to);
    return until('the change to be seen', async () => {
      await tess.go('/policy');
      const links = await tess.page.locator('a[href^="/policy/changes/"]').evaluateAll((all) => all.map((one) => one.getAttribute('href')));
      const found = links.map((one) => one.split('/').pop());
      return found.find((one) => !known.includes(one));
    });
  };
  ids.voided = await brings('code_ttl = "5m"', 'code_ttl = "4m"', []);
  ids.refused = await brings('code_ttl = "4m"', 'code_ttl = "3m"', [ids.voided]);
  await max.go(`/policy/changes/${ids.refused}`);
  await max.page.getByLabel(/^Reason/).fill('Too short for those who look for their phone first');
  await max.page.getByRole('button', { name: 'Deny' }).click();
  await max.page.waitForURL('**/policy?done=change-denied');
  ids.change = await brings('code_ttl = "3m"', 'code_ttl = "2m"', [ids.voided, ids.refused]);
  await tess.go(`/policy/changes/${ids.change}`);
  await tess.page.getByRole('button', { name: 'Approve' }).click();
  await tess.page.waitForURL('**/policy?done=change-approved');
}

/** Something to see on every page; gives the ids of it. */
export async function story(portal) {
  const ids = {};
  const all = await Promise.all(['ada', 'bo', 'ivo', 'tess', 'max'].map((name) => portal.person(name)));
  const [ada, bo, ivo, tess, max] = all;
  await requests(ids, ada, bo);
  await glass(ids, portal, ivo, tess);
  await locksAndWorkloads(tess, max);
  await changes(ids, portal, tess, max);
  await Promise.all(all.map((who) => who.close()));
  return ids;
}

/** What a form gives back, instead of an address. */
const sent = (from, where, fields = {}) => (person) => person.submits(from, where, fields);

/** Opens the recording for a reason, once for each browser, and follows the first link of this name. */
const recorded = (session, link) => async ({ page, go }) => {
  await go(`/sessions/${session}/recording`);
  const reason = page.getByLabel('Reason');
  if (await reason.count()) {
    await reason.fill('Review of SUP-1042');
    await page.getByRole('button', { name: 'Look at the recording' }).click();
    await page.getByRole('heading', { level: 1, name: /^Recording of/ }).waitFor();
  }
  if (link) {
    await page.getByRole('link', { name: link }).first().click();
    await page.waitForURL(/\/recording\/./);
  }
};

/** The name, which is that of the picture; who looks; and where, or what they send. */
export const PAGES = [
  ['sessions', 'ada', () => '/'],
  ['sessions-none', 'zoe', () => '/'],
  ['requests', 'ada', () => '/requests'],
  ['requests-none', 'zoe', () => '/requests'],
  ['request-new', 'ada', () => '/requests/new?tenant=acme&subject=kim@acme.example&ticket=SUP-1042'],
  ['request-unfit', 'ada', () => sent('/requests/new', '/requests/new', { do: 'send' })],
  ['request-checked', 'ada', () => sent('/requests/new', '/requests/new', { ...ASK, scopes: 'orders', do: 'check' })],
  ['request-waits', 'ada', (ids) => `/requests/${ids.pending}`],
  ['request-approved', 'ada', (ids) => `/requests/${ids.approved}`],
  ['request-denied', 'ada', (ids) => `/requests/${ids.denied}`],
  ['request-cancelled', 'ada', (ids) => `/requests/${ids.cancelled}?done=cancelled`],
  ['request-used', 'ada', (ids) => `/requests/${ids.used}`],
  ['request-customer', 'bo', (ids) => `/requests/${ids.consent}`],
  ['request-consent-link', 'bo', (ids) => sent(`/requests/${ids.consent}`, `/requests/${ids.consent}/consent-link`)],
  ['session-ready', 'ada', (ids) => sent(`/requests/${ids.ready}`, `/requests/${ids.ready}/start-link`)],
  ['approvals', 'bo', () => '/approvals'],
  ['approvals-none', 'zoe', () => '/approvals'],
  ['approval', 'bo', (ids) => `/approvals/${ids.pending}`],
  ['approval-own', 'ada', (ids) => `/approvals/${ids.pending}`],
  ['approval-changed', 'bo', (ids) => sent(`/approvals/${ids.pending}`, `/approvals/${ids.pending}`, { verdict: 'approve', digest: 'sha256:other' })],
  ['approval-unfit', 'bo', (ids) => sent(`/approvals/${ids.pending}`, `/approvals/${ids.pending}`, { verdict: 'perhaps' })],
  ['live', 'tess', () => '/live'],
  ['live-none', 'zoe', () => '/live'],
  ['live-unfound', 'tess', () => '/live?search=nobody-like-that'],
  ['live-unfit', 'tess', () => sent('/live', '/live', { key: 'nonsense', reason: 'x', do: 'lock' })],
  ['session', 'tess', (ids) => `/sessions/${ids.session}`],
  ['session-own', 'ada', (ids) => `/sessions/${ids.session}`],
  ['session-over', 'tess', (ids) => `/sessions/${ids.broken}`],
  ['session-customer', 'mara', (ids) => `/sessions/${ids.session}`],
  ['session-end', 'tess', (ids) => `/sessions/${ids.session}/end`],
  ['recording-reason', 'una', (ids) => `/sessions/${ids.session}/recording`],
  ['recording-unfit', 'una', (ids) => sent(`/sessions/${ids.session}/recording`, `/sessions/${ids.session}/recording`, { reason: '' })],
  ['recording', 'tess', (ids) => recorded(ids.session)],
  ['recording-exchange', 'tess', (ids) => recorded(ids.session, /POST .*\/notes/)],
  ['recording-page', 'tess', (ids) => recorded(ids.session, /^See the page/)],
  ['recording-export', 'tess', (ids) => `/sessions/${ids.session}/export`],
  ['recording-export-unfit', 'tess', (ids) => sent(`/sessions/${ids.session}/export`, `/sessions/${ids.session}/export`, { format: 'x' })],
  ['recording-not-for-you', 'ada', (ids) => `/sessions/${ids.session}/recording`],
  ['break-glass', 'zoe', () => '/break-glass'],
  ['break-glass-unfit', 'zoe', () => sent('/break-glass', '/break-glass', { ...EMERGENCY, tenant: 'initech', incident: '', reason_code: 'billing' })],
  ['break-glass-barred', 'ivo', () => '/break-glass'],
  ['reviews', 'tess', () => '/reviews'],
  ['reviews-none', 'zoe', () => '/reviews'],
  ['review', 'tess', (ids) => `/reviews/${ids.review}`],
  ['review-unfit', 'tess', (ids) => sent(`/reviews/${ids.review}`, `/reviews/${ids.review}`, { verdict: 'certify', findings: '' })],
  ['workloads', 'max', () => '/workloads'],
  ['workload-new', 'max', () => '/workloads/new'],
  ['workload-unfit', 'max', () => sent('/workloads/new', '/workloads/new', { id: 'nobody', renew_by: '2020-01-31' })],
  ['workload-disable', 'max', () => '/workloads/disable?id=spiffe%3A%2F%2Fcorp.example%2Fbilling%2Frefunds'],
  ['policy', 'una', () => '/policy?app=shop&request=POST+/account/mfa/reset&scopes=view,+orders'],
  ['policy-changes', 'max', () => '/policy'],
  ['policy-unfit', 'una', () => '/policy?app=shop&request=nonsense&scopes='],
  ['change', 'max', (ids) => `/policy/changes/${ids.change}`],
  ['change-answered', 'tess', (ids) => `/policy/changes/${ids.change}`],
  ['change-looked-at', 'una', (ids) => `/policy/changes/${ids.change}`],
  ['change-denied', 'max', (ids) => `/policy/changes/${ids.refused}`],
  ['change-void', 'max', (ids) => `/policy/changes/${ids.voided}`],
  ['change-unfit', 'max', (ids) => sent(`/policy/changes/${ids.change}`, `/policy/changes/${ids.change}`, { verdict: 'deny', reason: '' })],
  ['locks', 'tess', () => '/locks'],
  ['locks-unfit', 'tess', () => sent('/locks', '/locks', { key: 'nonsense', reason: '' })],
  ['evidence', 'una', () => '/evidence'],
  ['evidence-found', 'una', () => '/evidence?words=order*&event=exchange&tenant=acme&order=oldest'],
  ['evidence-nothing', 'una', () => '/evidence?words=nobody-like-that'],
  ['evidence-unfit', 'una', () => '/evidence?words=or*'],
  ['evidence-own', 'mara', () => '/evidence'],
  ['record', 'una', () => '/evidence/2'],
  ['customer', 'mara', () => '/customer'],
  ['customer-none', 'zoe', () => '/customer'],
  ['not-for-you', 'ada', () => '/evidence'],
  ['nothing-here', 'ada', () => '/requests/qnothing'],
  ['no-such-page', 'ada', () => '/nowhere'],
  ['forged', 'ada', (ids) => sent('/requests', `/requests/${ids.pending}/cancel`, { csrf: 'forged' })],
  ['no-role', 'nils', () => '/'],
  ['sign-in-again', 'nils', () => '/login?to=/&fresh=1'],
  ['consent-not-whole', 'nils', () => sent('/consent', '/consent', { token: 'half-a-link' })],
];

/** Open to everybody. */
export const OPEN = [
  ['sign-in', '/login?to=/'],
  ['sign-in-device', '/login/device?code=BCDF-GHJK'],
  ['sign-in-failed', '/login/callback?state=old&code=old'],
  ['signed-out', '/login/out'],
  ['consent', '/consent'],
  ['consent-given', '/consent?done=consented'],
  ['consent-refused', '/consent?done=declined'],
  ['consent-stopped', '/consent?done=stopped'],
];
