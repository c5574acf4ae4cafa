// The control plane in Chromium: Locum with its portal, a shop behind it, a real OpenID provider, and somebody who takes alerts.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { Webhook } from 'standardwebhooks';
import { Bar } from './bar.mjs';
import { launch, open } from './browser.mjs';
import { Locum, Program, freePort, repo, scratch, storefront, until } from './programs.mjs';

const WEBHOOK_KEY = 'whsec_bG9jdW0tdGVzdHMtb2YtdGhlLWFsZXJ0LXdlYmhvb2s=';
const CLIENT_SECRET = 'locum-test-secret';

// Two people agree to whatever is asked with a ticket; in an emergency nobody is waited for.
const ACCESS = `
@id("support")
@approvals("2")
@max_time("30m")
permit (principal is Human, action == Action::"request", resource)
when { context.has_ticket };

@id("emergency")
@approvals("0")
@max_time("15m")
permit (principal is Human, action == Action::"break-glass", resource);
`;

const ROLES = [
  ['support', 'operator'], ['support-leads', 'approver'], ['security', 'security'], ['auditors', 'auditor'],
  ['on-call', 'break-glass'], ['platform', 'admin'], ['acme-auditors', 'tenant-auditor', ['acme']],
];

const config = ({ dir, portal, issuer, alerts }) => `
[listeners.apps]
tls = { cert = "${dir}/certs/locum.pem", key = "${dir}/certs/locum.key" }

[listeners.portal]
enabled = true
address = "127.0.0.1:${portal}"
tls = { cert = "${dir}/certs/locum.pem", key = "${dir}/certs/locum.key" }

[[upstreams]]
name = "storefront"
addresses = ["127.0.0.1:3000"]

[[apps]]
name = "shop"
upstream = "storefront"
public_url = "https://harbour-and-pine.example"
browser_cookies = ["csrf"]

[policy]
paths = ["config/policy"]

[access]
policy = ["${dir}/access.cedar"]
tenant_policy = "${dir}/tenants"
step_up_acr = ["mfa"]

[break_glass]
enabled = true
incident_prefixes = ["INC-"]

[tickets]
patterns = ["SUP-#"]

[[tenants]]
id = "acme"
name = "Acme"

[[tenants]]
id = "birch"
name = "Birch & Co"

[[alerts]]
name = "soc"
kind = "webhook"
url = "${alerts}"
secret_files = ["${dir}/alerts.secret"]

[identity.oidc]
issuer = "${issuer}"
client_id = "locum"
client_secret_file = "${dir}/client.secret"
scopes = ["email", "profile", "groups"]

${ROLES.map(([group, role, tenants = ['*']]) => `[[roles]]
group = "${group}"
role = "${role}"
tenants = ${JSON.stringify(tenants)}
`).join('\n')}`;

/** Takes alerts as a security team's tool does: only what the Standard Webhooks library verifies. */
class Receiver {
  static async listen() {
    const receiver = new Receiver();
    receiver.taken = [];
    receiver.refused = [];
    const keys = new Webhook(WEBHOOK_KEY);
    receiver.server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      try {
        receiver.taken.push(keys.verify(body, request.headers));
        response.writeHead(204).end();
      } catch (error) {
        receiver.refused.push(String(error));
        response.writeHead(401).end();
      }
    });
    await new Promise((done) => receiver.server.listen(0, '127.0.0.1', done));
    receiver.url = `http://127.0.0.1:${receiver.server.address().port}/alerts`;
    return receiver;
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((done) => this.server.close(done));
  }
}

export class Desk {
  static async set() {
    const desk = new Desk();
    const { dir, remove } = scratch('desk');
    desk.started = [{ stop: remove }];
    try {
      await desk.start(dir);
    } catch (error) {
      await desk.stop();
      throw error;
    }
    return desk;
  }

  async start(dir) {
    const [portal, provider, ops] = [await freePort(), await freePort(), await freePort()];
    this.portal = `https://localhost:${portal}`;
    this.issuer = `http://127.0.0.1:${provider}`;
    this.alerts = await Receiver.listen();
    this.started.push(this.alerts);
    const write = (name, text) => writeFileSync(path.join(dir, name), text, { mode: 0o600 });
    write('alerts.secret', WEBHOOK_KEY);
    write('client.secret', CLIENT_SECRET);
    write('access.cedar', ACCESS);
    write('locum.toml', config({ dir, portal, issuer: this.issuer, alerts: this.alerts.url }));
    this.app = await storefront(dir, ops, this.portal);
    this.started.push(this.app.program);
    this.locum = await Locum.start({
      dir, ops, app: 'shop', config: path.join(dir, 'locum.toml'),
      env: { LOCUM_UPSTREAMS__STOREFRONT__ADDRESSES: this.app.address },
    });
    this.started.push(this.locum);
    const script = path.join(repo, 'tests/browser/provider/provider.mjs');
    const program = new Program('provider', process.execPath, [script, this.portal, String(provider)], {
      dir, env: { NODE_EXTRA_CA_CERTS: this.locum.ca },
    });
    this.started.push(program);
    await program.answers(`${this.issuer}/.well-known/openid-configuration`);
    const chromium = await launch(this.locum.ca);
    this.started.push(chromium);
    this.browser = chromium.browser;
  }

  async stop() {
    for (const one of this.started.reverse()) await one.stop();
  }

  /** Somebody with a browser of their own, signed in to the portal. */
  async person(id, options) {
    const page = await open(this.browser, options);
    const person = new Person(this, id, page);
    await person.go('/');
    await person.prove();
    await page.waitForURL(`${this.portal}/**`);
    return person;
  }

  /** What the journal has of this step, oldest first. */
  recorded(code) {
    return this.locum.records().filter((one) => JSON.stringify(one).includes(`"${code}"`));
  }
}

export class Person {
  constructor(desk, id, page) {
    Object.assign(this, { desk, id, page });
  }

  go(where) {
    return this.page.goto(this.desk.portal + where);
  }

  /** Fills in the identity provider's form; `code` as well where it asks for one. */
  async prove(code = '') {
    await this.page.waitForURL(`${this.desk.issuer}/**`);
    await this.page.getByLabel('Account').fill(this.id);
    await this.page.getByLabel('Password').fill('password');
    if (code) await this.page.getByLabel('Code').fill(code);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
  }

  button(name) {
    return this.page.getByRole('button', { name });
  }

  async heads(name) {
    await this.page.getByRole('heading', { name }).first().waitFor();
  }

  main() {
    return this.page.locator('main').innerText();
  }

  /** Sends what a form of the portal would, from the portal's own page: the answer's status and what its page says. */
  post(where, fields = {}) {
    return this.page.evaluate(async ([where, fields]) => {
      const csrf = document.querySelector('input[name=csrf]').value;
      const answer = await fetch(where, { method: 'POST', body: new URLSearchParams({ csrf, ...fields }) });
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      return { status: answer.status, text: page.querySelector('main')?.textContent ?? '' };
    }, [where, fields]);
  }

  /** What the API answers this browser's login. */
  api(where) {
    return this.page.evaluate(async (where) => (await fetch(`/api/v1/${where}`)).json(), where);
  }

  /** Why the portal says that they cannot do what the page is for. */
  cannot() {
    return this.page.locator('main [data-reason]').first().getAttribute('data-reason');
  }

  /** Opens the customer's app in a tab of its own, by the link on the page. */
  async enter() {
    const link = await this.page.getByRole('link', { name: 'Open the session' }).getAttribute('href');
    const page = await this.page.context().newPage();
    await page.goto(link);
    const bar = await Bar.of(page);
    return { page, bar, origin: new URL(page.url()).origin };
  }

  close() {
    return this.page.context().close();
  }
}

/** Waits until the bar says that the session is over, and the app answers nothing any more. */
export async function isOver({ page, bar, origin }, grey) {
  await until('the bar to say that it is over', async () => {
    const seen = await bar.look();
    return seen?.ground === grey && seen.text.includes('SESSION ENDED') ? seen : null;
  });
  const answer = await page.goto(`${origin}/orders`);
  assert.equal(answer.status(), 401);
}
