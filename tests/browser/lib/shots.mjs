// Screenshots for the documentation: kept small, written only when asked, so that a test run changes no file.
import { statSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import assert from 'node:assert/strict';
import { repo } from './programs.mjs';

const KEEP = process.env.LOCUM_SCREENSHOTS === 'keep';
const dir = KEEP ? path.join(repo, 'docs/screenshots') : path.join(repo, 'target/browser/screenshots');

/** The most that one picture may weigh, in bytes. */
const MOST = 150 * 1024;

/** Takes `docs/screenshots/NAME.png` (or, unless LOCUM_SCREENSHOTS=keep, one beside the build). */
export async function shot(page, name) {
  mkdirSync(dir, { recursive: true });
  const file = path.join(dir, `${name}.png`);
  await page.screenshot({ path: file });
  assert.ok(statSync(file).size <= MOST, `${name}.png is ${statSync(file).size} bytes`);
  return file;
}
