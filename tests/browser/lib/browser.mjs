// Chromium as an operator has it: a profile that trusts the development CA and nothing else unusual.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { scratch } from './programs.mjs';

const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--force-color-profile=srgb'];

/** Starts Chromium; `ca` goes into the certificate database of its home directory, so no TLS error is ignored. */
export async function launch(ca) {
  const home = scratch('browser');
  const database = path.join(home.dir, '.pki/nssdb');
  mkdirSync(database, { recursive: true });
  const certutil = (...args) => execFileSync('certutil', ['-d', `sql:${database}`, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  certutil('-N', '--empty-password');
  certutil('-A', '-t', 'C,,', '-n', 'locum-dev', '-i', ca);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ARGS,
    env: { ...process.env, HOME: home.dir, XDG_CONFIG_HOME: path.join(home.dir, '.config') },
  });
  const stop = async () => {
    await browser.close();
    home.remove();
  };
  return { browser, stop };
}

/** A page of its own context that remembers what its console complained of. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', timezoneId: 'Europe/London', ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  page.complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) page.complaints.push(message.text());
  });
  page.on('pageerror', (error) => page.complaints.push(`uncaught ${error.message}`));
  return page;
}
