// Node-RED, as its authors publish it, behind Locum: its editor opens by the assertion alone; deploying needs a scope.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Program, freePort, repo, until } from '../lib/programs.mjs';
import { shot } from '../lib/shots.mjs';
import { Stage } from '../lib/stage.mjs';

const here = path.join(repo, 'tests/browser/apps/node-red');
const entry = process.env.NODE_RED ?? path.join(here, 'node_modules/node-red/red.js');

async function nodeRed(dir, ops) {
  const port = await freePort();
  const user = path.join(dir, 'user');
  mkdirSync(user);
  copyFileSync(path.join(here, 'flows.json'), path.join(user, 'flows.json'));
  const program = new Program('node-red', process.execPath, [entry, '--userDir', user, '--settings', path.join(here, 'settings.js'), '--port', String(port)],
    { dir, cwd: user, env: { LOCUM_JWKS: `http://127.0.0.1:${ops}/.well-known/jwks.json` } });
  await program.answers(`http://127.0.0.1:${port}/auth/login`);
  const flows = () => JSON.parse(readFileSync(path.join(user, 'flows.json'), 'utf8'));
  return { program, address: `127.0.0.1:${port}`, flows };
}

let stage;
let viewer;
let changer;
before(async () => {
  stage = await Stage.set({ name: 'flows', config: 'tests/browser/apps/node-red/locum.toml', upstream: 'node-red', app: nodeRed });
});
after(async () => { await stage?.stop(); });

/** The editor with its flow drawn. Loading it takes seconds, so the tests of one scope share a page. */
async function editor(scope) {
  const session = await stage.begin({ scope });
  await session.page.locator('.red-ui-flow-node', { hasText: 'sum of orders' }).waitFor();
  return session;
}

/** Drags a node, so that there is something to deploy. */
async function change(page) {
  const box = await page.locator('.red-ui-flow-node', { hasText: 'sum of orders' }).boundingBox();
  await page.mouse.move(box.x + 80, box.y + 15);
  await page.mouse.down();
  await page.mouse.move(box.x + 80, box.y + 100, { steps: 5 });
  await page.mouse.up();
  await page.locator('#red-ui-header-button-deploy:not(.disabled)').waitFor();
}

describe('Node-RED', () => {
  test('asks everybody else to sign in, and does not believe a made-up assertion', async () => {
    assert.equal((await fetch(`http://${stage.app.address}/flows`)).status, 401);
    const forged = [{ alg: 'none' }, { sub: 'kim@acme.example', iss: 'https://localhost:8444', aud: 'node-red' }]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
    const response = await fetch(`http://${stage.app.address}/flows`, { headers: { 'x-locum-assertion': `${forged.join('.')}.` } });
    assert.equal(response.status, 401);
  });

  test('its editor opens without a sign-in, as the subject, under the banner', async () => {
    viewer = await editor('view');
    const { page, bar } = viewer;
    const { height } = await bar.stands();
    assert.equal(await page.locator('#node-dialog-login').count(), 0, 'no sign-in form');
    assert.equal(await page.evaluate(() => RED.settings.user.username), 'kim@acme.example');
    const header = await page.locator('#red-ui-header').boundingBox();
    assert.equal(Math.round(header.y), height, 'its toolbar lies right below the bar');
    const bottom = await page.locator('#red-ui-editor').boundingBox();
    assert.equal(Math.round(bottom.y + bottom.height), 800, 'its lower edge is not pushed out of the window');
    await until('the title', async () => (await page.title()).startsWith('[Support: Acme] Node-RED'));
    await shot(page, 'node-red');
    await page.locator('#red-ui-header-button-sidemenu').click();
    await page.getByText('Keyboard shortcuts').waitFor();
    await bar.stands();
    await page.locator('#red-ui-workspace-chart').click({ position: { x: 400, y: 400 } });
  });

  test('deploying is refused under the scope view, and changes nothing', async () => {
    const { page, bar } = viewer;
    const before = JSON.stringify(stage.app.flows());
    await change(page);
    const refused = page.waitForResponse((response) => response.url().endsWith('/flows') && response.request().method() === 'POST');
    await page.locator('#red-ui-header-button-deploy').click();
    const response = await refused;
    assert.equal(response.status(), 403);
    assert.match(response.headers()['content-type'], /^application\/problem\+json/);
    const problem = JSON.stringify(await response.json());
    assert.match(problem, /deploy/);
    await page.locator('.red-ui-notification-error').waitFor();
    assert.equal(JSON.stringify(stage.app.flows()), before);
    assert.ok(stage.locum.records().some((one) => JSON.stringify(one).includes('flows.deploy')), 'the refusal is on record');
    await bar.stands();
    await shot(page, 'node-red-refused');
  });

  test('its WebSocket lives through Locum: what the flow says shows at once', async () => {
    changer = await editor('edit');
    const { page, bar, issued } = changer;
    await page.evaluate(() => RED.sidebar.show('debug'));
    await page.locator('.red-ui-flow-node', { hasText: 'every morning' }).locator('.red-ui-flow-node-button-button').click();
    await page.locator('.red-ui-debug-msg', { hasText: '84' }).waitFor({ timeout: 5000 });
    await bar.stands();
    const opened = stage.locum.records().some((one) => JSON.stringify(one).includes('/comms') && JSON.stringify(one).includes(issued.session));
    assert.ok(opened, 'the WebSocket is on record');
  });

  test('deploying works under the scope edit', async () => {
    const { page, bar } = changer;
    const y = () => stage.app.flows().find((node) => node.id === 'c1').y;
    const before = y();
    await change(page);
    await page.locator('#red-ui-header-button-deploy').click();
    await page.locator('.red-ui-notification-success', { hasText: 'Successfully deployed' }).waitFor();
    await until('the flow to be changed on disk', () => y() > before);
    await bar.stands();
  });

  test('credentials of flows are out of reach', async () => {
    const { page, issued, bar } = changer;
    await page.goto(`${issued.origin}/credentials/http%20request/x1`);
    await stage.isRefusal(page, bar, 'Credentials of flows are not part of this session', 'no-credentials');
  });

  test('when the session is revoked the editor is covered and its WebSocket cut', async () => {
    const { page, bar, issued } = viewer;
    stage.locum.revoke(issued.session);
    await until('the bar to turn grey', async () => (await bar.look())?.ground === 'rgb(213, 215, 218)', 2000);
    const ended = (text) => text.includes('websocket.ended') && text.includes(issued.session) && text.includes('revoked');
    await until('the WebSocket’s end on record', () => stage.locum.records().some((one) => ended(JSON.stringify(one))), 5000);
  });
});
