// Screenshots for the documentation: kept small, written only when asked, so that a test run changes no file.
import { statSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import assert from 'node:assert/strict';
import { repo } from './programs.mjs';

const KEEP = process.env.LOCUM_SCREENSHOTS === 'keep';
const dir = KEEP ? path.join(repo, 'docs/screenshots') : path.join(repo, 'target/browser/screenshots');

/** The most that one picture may weigh, in bytes. */
const MOST = 150 * 1024;

/** Where the picture NAME goes, without its ending: `docs/screenshots/` if LOCUM_SCREENSHOTS=keep, else beside the build. */
export function picture(name) {
  mkdirSync(dir, { recursive: true });
  return path.join(dir, name);
}

/** Takes a picture of what the page shows. */
export async function shot(page, name) {
  const file = `${picture(name)}.png`;
  await page.screenshot({ path: file });
  assert.ok(statSync(file).size <= MOST, `${name}.png is ${statSync(file).size} bytes`);
}
