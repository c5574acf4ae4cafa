// What Locum gives out, in other people's readers: HAR by har-validator, WARC by warcio and in ReplayWeb.page, the package by itself.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createReadStream, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { open } from './lib/browser.mjs';
import { repo, until } from './lib/programs.mjs';
import { Recorded } from './lib/recorded.mjs';
import { shot } from './lib/shots.mjs';

const require = createRequire(new URL('./archive/package.json', import.meta.url));
const warcio = path.join(repo, 'target/browser/warcio/bin/warcio');

let recorded;
before(async () => { recorded = await Recorded.set(); });
after(async () => { await recorded?.stop(); });

let count = 0;

/** The session as a file, from the state directory. */
function exported(format) {
  const { locum } = recorded.portal;
  const file = path.join(locum.dir, `session-${count += 1}.${format}`);
  locum.command('session', 'export', recorded.session, '--format', format, '--reason', 'Review of SUP-1042', '--dir', locum.env.LOCUM_STATE_DIR, '-o', file);
  return file;
}

test('the HAR is one, by har-validator', async () => {
  const har = JSON.parse(readFileSync(exported('har'), 'utf8'));
  await require('har-validator/lib/promise').har(har);
  const urls = har.log.entries.map((one) => new URL(one.request.url).pathname);
  for (const { target } of recorded.pages) assert.ok(urls.includes(target), `${target} among ${urls}`);
  const chat = har.log.entries.find((one) => one._webSocketMessages);
  assert.ok(chat._webSocketMessages.some((one) => one.data.includes('Hello Kim Park')));
  assert.ok(har.log.pages.length >= recorded.pages.length);
});

test('the WARC is sound, by warcio check', () => {
  const file = exported('warc');
  const done = spawnSync(warcio, ['check', '-v', file], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stdout + done.stderr);
  assert.match(done.stdout, /digest pass/);
  assert.ok(!/digest failed|no digest/.test(done.stdout), done.stdout.slice(0, 2000));
  const index = execFileSync(warcio, ['index', '-f', 'warc-type,warc-target-uri', file], { encoding: 'utf8' });
  for (const { target } of recorded.pages) assert.ok(index.includes(`${recorded.origin}${target}"`), target);
});

test('the WARC shows its pages in ReplayWeb.page', async () => {
  const file = exported('warc');
  const player = path.join(repo, 'tests/browser/archive/node_modules/replaywebpage');
  const page = `<!doctype html><meta charset="utf-8"><title>Archive</title><script src="/ui.js"></script>
    <style>html, body, replay-web-page { margin: 0; height: 100vh; display: block }</style>
    <replay-web-page source="/session.warc.gz" url="${recorded.origin}/orders" replayBase="/" embed="default"></replay-web-page>`;
  const files = { '/ui.js': [path.join(player, 'ui.js'), 'text/javascript'], '/sw.js': [path.join(player, 'sw.js'), 'text/javascript'], '/session.warc.gz': [file, 'application/gzip'] };
  const server = createServer((request, response) => {
    const [found, kind] = files[new URL(request.url, 'http://x').pathname] ?? [];
    if (!found) return response.writeHead(200, { 'content-type': 'text/html' }).end(page);
    const { size } = statSync(found);
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const from = range ? Number(range[1]) : 0;
    const to = range?.[2] ? Math.min(Number(range[2]), size - 1) : size - 1;
    const headers = { 'content-type': kind, 'accept-ranges': 'bytes', 'content-length': to - from + 1 };
    if (range) headers['content-range'] = `bytes ${from}-${to}/${size}`;
    response.writeHead(range ? 206 : 200, headers);
    return request.method === 'HEAD' ? response.end() : createReadStream(found, { start: from, end: to }).pipe(response);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const browserPage = await open(recorded.portal.browser);
  await browserPage.goto(`http://localhost:${server.address().port}/`);
  const orders = await until('the orders in the archive', async () => {
    for (const frame of browserPage.frames()) {
      const text = await frame.evaluate(() => document.body?.innerText ?? '').catch(() => '');
      if (/Orders/.test(text) && /Order 1\b/.test(text)) return text;
    }
    return null;
  }, 30_000);
  const seen = recorded.pages.find((one) => one.target === '/orders').words;
  const lines = seen.split('\n').map((line) => line.trim()).filter((line) => /^Order \d+/.test(line));
  for (const line of lines) assert.ok(orders.includes(line), `${line} in ${orders}`);
  await shot(browserPage, 'archive');
  await browserPage.context().close();
  server.close();
});

test('the package is sound by itself, and not once a byte is changed', async () => {
  const { locum } = recorded.portal;
  const file = exported('package');
  const sound = JSON.parse(locum.command('audit', 'verify-package', file, '--json'));
  assert.equal(sound.ok, true, JSON.stringify(sound));
  assert.ok(sound.verdict.records > 10 && sound.verdict.bodies > 10, JSON.stringify(sound.verdict));
  const bytes = readFileSync(file);
  const at = bytes.indexOf('recording/session.warc.gz') + 2000;
  bytes[at] ^= 1;
  writeFileSync(`${file}.changed`, bytes);
  assert.throws(() => locum.command('audit', 'verify-package', `${file}.changed`), /ended with 1.*session\.warc\.gz/s);
});
