// Datasette, as its authors publish it, behind Locum: signed in by a header, browsed, queried, not exported.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Program, freePort, repo, until } from '../lib/programs.mjs';
import { shot } from '../lib/shots.mjs';
import { Stage } from '../lib/stage.mjs';

const here = path.join(repo, 'tests/browser/apps/datasette');
const bin = process.env.DATASETTE_BIN ?? path.join(repo, 'target/browser/datasette/bin');

async function datasette(dir) {
  const port = await freePort();
  const database = path.join(dir, 'desk.db');
  const seed = 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())';
  execFileSync(path.join(bin, 'python'), ['-c', seed, database], { input: readFileSync(path.join(here, 'seed.sql')) });
  const program = new Program('datasette', path.join(bin, 'datasette'), ['serve', database, '--host', '127.0.0.1', '--port', String(port),
    '--metadata', path.join(here, 'metadata.json'), '--setting', 'force_https_urls', '1'], { dir });
  await program.answers(`http://127.0.0.1:${port}/-/versions.json`);
  return { program, address: `127.0.0.1:${port}` };
}

let stage;
before(async () => {
  stage = await Stage.set({ name: 'desk', config: 'tests/browser/apps/datasette/locum.toml', upstream: 'datasette', app: datasette });
});
after(async () => { await stage?.stop(); });

describe('Datasette', () => {
  test('is not open to anybody; a session is signed in as its subject, whatever the browser claims', async () => {
    const direct = await fetch(`http://${stage.app.address}/`);
    assert.equal(direct.status, 403, 'Datasette itself asks who one is');
    const { page, bar, response, close } = await stage.begin();
    assert.equal(response.status(), 200);
    await page.getByRole('heading', { level: 1, name: "Acme's help desk" }).waitFor();
    assert.match(await page.locator('header').innerText(), /kim@acme\.example/, 'Datasette says who it takes one for');
    await bar.stands();
    await close();
    const claims = { extraHTTPHeaders: { 'X-Desk-User': 'kim@acme.example', X_Desk_User: 'kim@acme.example' } };
    const lee = await stage.begin({ subject: 'lee@globex.example' }, claims);
    assert.equal(lee.response.status(), 403, 'Lee is not on its list');
    assert.match(await lee.page.locator('body').innerText(), /Forbidden|denied/i);
    await lee.bar.stands();
    await lee.close();
  });

  test('tables, rows and facets, whose absolute links stay in the session', async () => {
    const { page, bar, issued, close } = await stage.begin();
    await page.getByRole('link', { name: 'desk', exact: true }).first().click();
    await page.locator('h3 a', { hasText: 'tickets' }).click();
    await page.getByRole('heading', { level: 1, name: 'tickets' }).waitFor();
    assert.equal(await page.locator('table.rows-and-columns tbody tr').count(), 5);
    await bar.stands();
    const facet = page.locator('.suggested-facets a', { hasText: 'status' });
    assert.ok((await facet.getAttribute('href')).startsWith(`${issued.origin}/desk/tickets?_facet=status`), await facet.getAttribute('href'));
    await facet.click();
    await page.locator('.facet-results a', { hasText: 'open' }).click();
    await page.waitForURL('**/desk/tickets?_facet=status&status=open');
    assert.ok(page.url().startsWith(issued.origin));
    assert.equal(await page.locator('table.rows-and-columns tbody tr').count(), 2);
    await until('the title', async () => (await page.title()).startsWith('[Support: Acme] desk: tickets'));
    await bar.stands();
    await shot(page, 'datasette');
    await page.locator('td.col-customer a').first().click();
    await page.waitForURL('**/desk/customers/1');
    assert.match(await page.locator('table.rows-and-columns').innerText(), /Kim Park/);
    await bar.stands();
    await close();
  });

  test('a query runs with the scope sql, in its own editor', async () => {
    const { page, bar, issued, close } = await stage.begin({ scope: 'view,sql' });
    await page.goto(`${issued.origin}/desk`);
    await page.locator('.CodeMirror').click();
    await page.keyboard.press('Control+a');
    await page.keyboard.type('select status, count(*) as n from tickets group by status order by n desc');
    await page.locator('input[type=submit][value="Run SQL"]').click();
    await page.waitForURL('**/desk?sql=*');
    const rows = await page.locator('table.rows-and-columns tbody tr').allInnerTexts();
    assert.deepEqual(rows.map((row) => row.split(/\s+/).filter(Boolean).join(' ')).sort(), ['closed 2', 'open 2', 'waiting 1']);
    await bar.stands();
    await close();
  });

  test('a query is refused with the scope view alone', async () => {
    const { page, bar, issued, close } = await stage.begin();
    await page.goto(`${issued.origin}/desk?sql=select+*+from+tickets`);
    await stage.isRefusal(page, bar, /./, 'query');
    await close();
  });

  test('nothing is exported: the CSV link, JSON, the file, `_format`; nor does anybody sign out', async () => {
    const { page, bar, issued, close } = await stage.begin({ scope: 'view,sql' });
    await page.goto(`${issued.origin}/desk/tickets`);
    await page.locator('.export-links a', { hasText: 'CSV' }).click();
    await stage.isRefusal(page, bar, 'Exporting data is not part of this session', 'no-table-csv');
    for (const [target, rule] of [['/desk/tickets.json?_shape=array', 'no-table-json'], ['/desk/tickets/1.json', 'no-row-json'],
      ['/desk.json?sql=select+1', 'no-json'], ['/desk.csv?sql=select+1', 'no-csv'], ['/desk.db', 'no-database-file'],
      ['/desk/tickets?_format=csv', 'no-format'], ['/DESK/tickets.CSV', 'no-table-csv']]) {
      await page.goto(issued.origin + target);
      await stage.isRefusal(page, bar, 'Exporting data is not part of this session', rule);
    }
    await page.goto(`${issued.origin}/-/logout`);
    await stage.isRefusal(page, bar, 'End the session with the button in the banner instead', 'no-sign-out');
    await close();
  });
});
