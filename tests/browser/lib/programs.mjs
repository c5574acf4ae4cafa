// The programs under test: started on free ports, told apart by their logs, stopped by their own process.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const repo = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const built = process.env.LOCUM_BUILT ?? path.join(repo, 'target/debug');

// A debug build on a loaded machine starts within this, in milliseconds.
const STARTS_WITHIN = 60_000;

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Asks `probe` until it answers something true, for at most `within` milliseconds. */
export async function until(what, probe, within = 10_000) {
  const began = Date.now();
  let last;
  while (Date.now() - began < within) {
    try {
      const value = await probe();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    await pause(40);
  }
  throw new Error(`${what}: not within ${within} ms; last saw ${last instanceof Error ? last.message : JSON.stringify(last)}`);
}

export function freePort() {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** A fresh directory that goes with the tests. */
export function scratch(name) {
  const dir = mkdtempSync(path.join(tmpdir(), `locum-${name}-`));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export class Program {
  constructor(name, command, args, { dir, env = {}, cwd = repo }) {
    this.name = name;
    this.log = path.join(dir, `${name}.log`);
    const out = openSync(this.log, 'a');
    this.child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', out, out] });
    closeSync(out);
    this.gone = new Promise((done) => {
      this.child.once('exit', done);
      this.child.once('error', (error) => { this.failure = error; done(); });
    });
  }

  said() {
    return readFileSync(this.log, 'utf8');
  }

  /** Waits until `url` answers with a status below 500. */
  async answers(url) {
    const ready = async () => {
      if (this.failure || this.child.exitCode !== null) return 'gone';
      return (await fetch(url)).status < 500;
    };
    const state = await until(`${this.name} to answer at ${url}`, ready, STARTS_WITHIN).catch((error) => error);
    if (state !== true) throw new Error(`${this.name} did not start (${this.failure ?? state}):\n${this.said().slice(-2000)}`);
  }

  async stop() {
    if (this.child.exitCode !== null || this.failure) return;
    this.child.kill('SIGTERM');
    const kill = setTimeout(() => this.child.kill('SIGKILL'), 5000);
    await this.gone;
    clearTimeout(kill);
  }
}

/** The demo shop; it believes the assertions of the Locum with this ops port, if one is given, and this portal. */
export async function storefront(dir, ops, issuer = 'https://localhost:8444') {
  const port = await freePort();
  const log = path.join(dir, 'requests.log');
  const trusting = ops ? [
    '--public-url', 'https://harbour-and-pine.example',
    '--assertion-jwks', `http://127.0.0.1:${ops}/.well-known/jwks.json`,
    '--assertion-issuer', issuer, '--assertion-audience', 'storefront',
  ] : [];
  const program = new Program('storefront', path.join(built, 'examples/storefront'), [
    '--listen', `127.0.0.1:${port}`, '--request-log', log, ...trusting,
  ], { dir });
  await program.answers(`http://127.0.0.1:${port}/healthz`);
  const requests = () => readFileSync(log, 'utf8').trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
  return { program, address: `127.0.0.1:${port}`, requests };
}

/** `locum run` on a config file, with what differs from it given in the environment. */
export class Locum {
  static async start({ dir, config, app, ops, env = {} }) {
    const locum = new Locum();
    const port = await freePort();
    Object.assign(locum, { dir, app, port, ops: ops ?? await freePort(), config: path.resolve(repo, config) });
    locum.ca = path.join(dir, 'certs/ca.pem');
    locum.env = {
      LOCUM_STATE_DIR: path.join(dir, 'state'),
      LOCUM_LISTENERS__APPS__ADDRESS: `127.0.0.1:${port}`,
      LOCUM_LISTENERS__APPS__TLS__CERT: path.join(dir, 'certs/locum.pem'),
      LOCUM_LISTENERS__APPS__TLS__KEY: path.join(dir, 'certs/locum.key'),
      LOCUM_LISTENERS__OPS__ADDRESS: `127.0.0.1:${locum.ops}`,
      ...env,
    };
    locum.command('certs', 'dev', '--dir', path.join(dir, 'certs'), '--app', app, '--suffix', 'localhost');
    locum.command('check-config');
    locum.program = new Program('locum', path.join(built, 'locum'), ['--config', locum.config, 'run'], { dir, env: locum.env });
    await locum.program.answers(`http://127.0.0.1:${locum.ops}/readyz`);
    return locum;
  }

  /** Runs a command of Locum and returns what it printed. */
  command(...args) {
    const done = spawnSync(path.join(built, 'locum'), ['--config', this.config, ...args], {
      cwd: repo, env: { ...process.env, ...this.env }, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024,
    });
    if (done.status !== 0) throw new Error(`locum ${args.join(' ')} ended with ${done.status}: ${done.error ?? done.stderr + done.stdout}`);
    return done.stdout;
  }

  /** A grant for Ada of support as Kim of Acme; `more` are further arguments. Returns ids, start URL and origin. */
  grant({ scope = 'view', ttl = '30m', ticket = 'SUP-1042', subject = 'kim@acme.example' } = {}, ...more) {
    const issued = JSON.parse(this.command('grant', 'issue', '--json', '--app', this.app, '--scope', scope, '--ttl', ttl,
      '--operator', 'ada@support.example', '--operator-name', 'Ada Byron', '--subject', subject,
      '--tenant', 'acme', '--tenant-name', 'Acme', '--ticket', ticket, '--reason', 'Order 1 was charged twice', ...more));
    const origin = `https://${issued.session}.${this.app}.localhost:${this.port}`;
    return { ...issued, start: issued.start_url, origin };
  }

  revoke(id) {
    this.command('grant', 'revoke', id);
  }

  /** The records of the journal so far, oldest first. */
  records() {
    return this.command('audit', 'tail', '--json', '-n', '1000').trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  stop() {
    return this.program.stop();
  }
}
