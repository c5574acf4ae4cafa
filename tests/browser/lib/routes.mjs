// What the portal's listener answers to a browser, read from the routers themselves: so that no page can be added unseen.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { repo } from './programs.mjs';

const ROUTERS = ['src/control/portal', 'src/control/identity', 'src/control/tickets', 'src/control/signals', 'src/control/web'];

/** What a GET gets there is no page: a part of one, a file, or the way on to one. */
export const NO_PAGES = {
  '/parts/nav': 'part of every page', '/parts/sessions': 'part of /', '/parts/live': 'part of /live',
  '/favicon.ico': 'a picture', '/assets/{name}': 'styles, scripts, pictures', '/login/style.css': 'a style',
  '/evidence/export': 'a file', '/sessions/{id}/recording/{x}/{side}': 'a file',
  '/login/persona': 'the same as /login',
  '/log/checkpoint': 'for programs', '/log/tile/{*path}': 'for programs',
  '/log/tenants/{tenant}/checkpoint': 'for programs', '/log/tenants/{tenant}/tile/{*path}': 'for programs',
};

function sources(dir) {
  return readdirSync(path.join(repo, dir), { withFileTypes: true, recursive: true })
    .filter((one) => one.isFile() && one.name.endsWith('.rs') && !path.relative(repo, one.parentPath).includes('tests'))
    .map((one) => readFileSync(path.join(one.parentPath, one.name), 'utf8').split('#[cfg(test)]')[0]);
}

/** The paths that take a GET and answer with a page, as the routers have them: `/requests/{id}`. */
export function pages() {
  const all = [];
  for (const text of ROUTERS.flatMap(sources)) {
    const written = text.match(/\.route\(/g)?.length ?? 0;
    const read = [...text.matchAll(/\.route\(\s*(?:"([^"]+)"|([A-Z_]+)),\s*(\w+)\(/g)];
    assert.equal(read.length, written, `a route that cannot be read:\n${text.slice(0, 400)}`);
    for (const [, literal, , method] of read) {
      if (literal && method === 'get') all.push(literal);
    }
  }
  assert.ok(all.includes('/') && all.length > 30, `the routers have these alone: ${all}`);
  for (const one of Object.keys(NO_PAGES)) assert.ok(all.includes(one), `${one} is no route any more`);
  return [...new Set(all)].filter((one) => !(one in NO_PAGES));
}

/** The route that a path is answered by: literal segments go before holes. */
export function routeOf(where, all) {
  const wanted = new URL(where, 'https://portal').pathname.split('/');
  const fits = (route) => {
    const own = route.split('/');
    return own.length === wanted.length && own.every((part, at) => part === wanted[at] || (part.startsWith('{') && wanted[at]));
  };
  const holes = (route) => route.split('{').length;
  return all.filter(fits).sort((one, other) => holes(one) - holes(other))[0];
}
