// Builds what the torture pages need: whole-document React apps, rendered on the server and hydrated, Turbo, htmx.
import { build } from 'esbuild';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.join(here, 'build');
const require = createRequire(import.meta.url);

const app = (version, react, dom) => `
import { createElement as h, useState, useEffect } from '${react}';
export function Document() {
  const [count, setCount] = useState(0);
  useEffect(() => { globalThis.hydrated = true; }, []);
  return h('html', { lang: 'en' },
    h('head', null, h('meta', { charSet: 'utf-8' }), h('title', null, 'React ${version}'),
      h('link', { rel: 'stylesheet', href: '/vendor/site.css' })),
    h('body', null, h('div', { id: 'app' }, h('header', { className: 'bar' }, 'React ${version} shop'),
      h('button', { id: 'menu', onClick: () => setCount(count + 1) }, 'Clicked ', count)),
      h('script', { src: '/vendor/react${version}.js', defer: true })));
}
`;

export async function prepare() {
  await mkdir(out, { recursive: true });
  await writeFile(path.join(out, 'site.css'), 'body{margin:0;font:16px/1.5 sans-serif}main,#app{padding:16px}header.bar{background:#234;color:#fff}');
  for (const [version, react, dom] of [['18', 'react18', 'react-dom18'], ['19', 'react', 'react-dom']]) {
    const alias = { react, 'react-dom': dom };
    const source = path.join(out, `app${version}.mjs`);
    await writeFile(source, app(version, react, dom));
    for (const mode of ['development']) {
      await build({
        stdin: {
          contents: `import { createElement } from '${react}'; import { hydrateRoot } from '${dom}/client';
import { Document } from './app${version}.mjs';
hydrateRoot(document, createElement(Document), { onRecoverableError: error => console.error('recoverable: ' + error.message) });`,
          resolveDir: out,
        },
        bundle: true, format: 'iife', outfile: path.join(out, `react${version}.js`), alias,
        define: { 'process.env.NODE_ENV': JSON.stringify(mode) }, logLevel: 'error',
      });
    }
    await build({
      stdin: {
        contents: `import { createElement } from '${react}'; import { renderToString } from '${dom}/server';
import { Document } from './app${version}.mjs';
process.stdout.write('<!DOCTYPE html>' + renderToString(createElement(Document)));`,
        resolveDir: out,
      },
      bundle: true, format: 'cjs', platform: 'node', outfile: path.join(out, `render${version}.cjs`), alias,
      define: { 'process.env.NODE_ENV': '"development"' }, logLevel: 'error',
    });
    const { execFileSync } = await import('node:child_process');
    const html = execFileSync(process.execPath, [path.join(out, `render${version}.cjs`)], { encoding: 'utf8' });
    await writeFile(path.join(out, `react${version}.html`), html);
  }
  await copyFile(path.join(here, 'node_modules/@hotwired/turbo/dist/turbo.es2017-umd.js'), path.join(out, 'turbo.js'));
  await copyFile(path.join(here, 'node_modules/htmx.org/dist/htmx.min.js'), path.join(out, 'htmx.js'));
  return out;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await prepare();
