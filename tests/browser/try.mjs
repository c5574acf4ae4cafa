import { prepare } from './build.mjs';
import { open, serve, launch, shoot, missing, pause } from './harness.mjs';
const server = await serve(await prepare());
const browser = await launch();
const names = process.argv.slice(2);
for (const name of names) {
  const out = {};
  for (const side of ['bare', 'p']) {
    const page = await open(browser);
    await page.goto(`${server.url}/${side}/${name}`, { waitUntil: 'commit' }).catch(e => { out.nav = e.message; });
    await pause(1300);
    out[side] = page.errors;
    if (side === 'p') {
      const image = await shoot(page, name).catch(e => { out.shot = e.message; });
      if (image) out.missing = missing(image);
      out.title = await page.title().catch(() => '');
    }
    await page.context().close();
  }
  console.log(name, JSON.stringify(out.missing), JSON.stringify(out.title), out.p.length || out.bare.length ? JSON.stringify({ p: out.p, bare: out.bare }) : '', out.nav ?? '', out.shot ?? '');
}
await browser.close(); server.stop();
