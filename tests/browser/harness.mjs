// Starts the torture server and Chromium, and looks at pages the way a person does: by what is on the screen.
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import pngjs from 'pngjs';

const here = path.dirname(fileURLToPath(import.meta.url));
export const shots = process.env.SHOTS ?? path.join(here, 'shots');
export const AMBER = [255, 176, 0];
export const RED = [176, 0, 32];
export const GREY = [213, 215, 218];

export async function serve(files) {
  const binary = process.env.TORTURE ?? path.join(here, '../../target/debug/examples/torture');
  const child = spawn(binary, ['127.0.0.1:0', files], { stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise((done, fail) => {
    child.stdout.once('data', data => done(String(data).trim()));
    child.once('exit', code => fail(new Error(`the torture server ended with ${code}`)));
    child.once('error', fail);
  });
  return { url, stop: () => child.kill() };
}

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});

// A page that remembers what the console said.
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, ...options });
  const page = await context.newPage();
  page.errors = [];
  page.on('console', message => { if (message.type() === 'error' || message.type() === 'warning') page.errors.push(message.text()); });
  page.on('pageerror', error => page.errors.push(`uncaught ${error.message}`));
  return page;
}

export async function shoot(page, name) {
  const bytes = await page.screenshot({ timeout: 10000 });
  if (name) {
    await mkdir(shots, { recursive: true });
    await writeFile(path.join(shots, `${name}.png`), bytes);
  }
  return pngjs.PNG.sync.read(bytes);
}

export const pixel = (image, x, y) => [...image.data.subarray((Math.round(y) * image.width + Math.round(x)) * 4).subarray(0, 3)];
export const near = (a, b) => a.every((value, at) => Math.abs(value - b[at]) <= 6);

// Where the colour of the bar is missing: nothing where the bar is whole, unobscured and pinned to the top.
export function missing(image, colour = AMBER, edge = colour) {
  const { width, height } = image;
  const faults = [];
  for (const [x, y] of [[6, 6], [8, 40], [width / 2, 3], [width / 2, 40], [width - 6, 6], [width - 7, 40]]) {
    if (!near(pixel(image, x, y), colour)) faults.push(`bar at ${x},${y} is ${pixel(image, x, y)}`);
  }
  for (const [x, y] of [[1, height / 2], [width - 2, height / 2], [width / 2, height - 2]]) {
    if (!near(pixel(image, x, y), edge)) faults.push(`frame at ${x},${y} is ${pixel(image, x, y)}`);
  }
  return faults;
}

// The words of the bar as assistive technology has them: the tree that sees into closed shadow roots.
export async function words(page) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  await session.detach();
  return nodes.filter(node => !node.ignored).map(node => ({ focused: node.properties?.some(p => p.name === 'focused' && p.value.value) && !/RootWebArea/.test(node.role?.value), role: node.role?.value, name: node.name?.value ?? '' }));
}

export const pause = milliseconds => new Promise(done => setTimeout(done, milliseconds));
