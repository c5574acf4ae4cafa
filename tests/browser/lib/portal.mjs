// Locum with its portal and a persona for each role, and a browser for each of them.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { launch, open } from './browser.mjs';
import { Locum, freePort, scratch, storefront } from './programs.mjs';

// Looking takes nobody; changing one person, and two where it is privileged. In an emergency nobody is waited for.
const ACCESS = `
@id("look")
@approvals("0")
@max_time("60m")
permit (principal is Human, action == Action::"request", resource)
when { context.has_ticket && context.tier == Tier::"ordinary" };

@id("change-by-one")
@approvals("1")
@max_time("60m")
permit (principal is Human, action == Action::"request", resource)
when { context.has_ticket && context.tier != Tier::"ordinary" };

@id("emergency")
@approvals("0")
@max_time("15m")
permit (principal is Human, action == Action::"break-glass", resource);
`;

const ROLES = [
  ['support', 'operator'], ['leads', 'approver'], ['security', 'security'], ['auditors', 'auditor'],
  ['on-call', 'break-glass'], ['platform', 'admin'], ['acme-auditors', 'tenant-auditor', ['acme']],
  ...['operator', 'approver', 'security', 'auditor', 'break-glass', 'tenant-auditor'].map((role) => ['newcomers', role, ['initech']]),
];

export const PEOPLE = {
  ada: { id: 'ada@support.example', name: 'Ada Byron', groups: ['support'] },
  bo: { id: 'bo@support.example', name: 'Bo Lindqvist', groups: ['leads'] },
  cleo: { id: 'cleo@support.example', name: 'Cleo Marsh', groups: ['leads'] },
  ivo: { id: 'ivo@support.example', name: 'Ivo Reyes', groups: ['support', 'on-call'] },
  tess: { id: 'tess@support.example', name: 'Tess Okoye', groups: ['security'] },
  una: { id: 'una@corp.example', name: 'Una Sand', groups: ['auditors'] },
  max: { id: 'max@corp.example', name: 'Max Orr', groups: ['platform'] },
  mara: { id: 'mara@acme.example', name: 'Mara Quist', groups: ['acme-auditors'] },
  // Has every page, and nothing on any of them yet.
  zoe: { id: 'zoe@initech.example', name: 'Zoë Ward', groups: ['newcomers'] },
  nils: { id: 'nils@corp.example', name: 'Nils Berg', groups: [] },
};

const rows = (kind, all) => all.map((one) => `[[${kind}]]\n${Object.entries(one).map(([key, value]) => `${key} = ${JSON.stringify(value)}`).join('\n')}\n`).join('\n');

const config = ({ dir, portal }) => `
[listeners.apps]
tls = { cert = "${dir}/certs/locum.pem", key = "${dir}/certs/locum.key" }

[listeners.portal]
enabled = true
address = "127.0.0.1:${portal}"
public_url = "https://localhost:${portal}"
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

[grants]
code_ttl = "5m"

[access]
policy = ["${dir}/access.cedar"]
tenant_policy = "${dir}/tenants"
reload_votes = 2

[break_glass]
enabled = true
incident_prefixes = ["INC-"]
reason_codes = ["outage", "security-incident"]
open_unalerted = true

[tickets]
patterns = ["SUP-#"]

[identity]
demo = true

${rows('tenants', [{ id: 'acme', name: 'Acme' }, { id: 'globex', name: 'Globex', consent: true }])}
${rows('personas', Object.values(PEOPLE))}
${rows('roles', ROLES.map(([group, role, tenants = ['*']]) => ({ group, role, tenants })))}`;

export class Portal {
  /** `more` is added to the configuration. */
  static async set(more = '') {
    const portal = new Portal();
    const { dir, remove } = scratch('portal');
    portal.started = [{ stop: remove }];
    try {
      await portal.start(dir, more);
    } catch (error) {
      await portal.stop();
      throw error;
    }
    return portal;
  }

  async start(dir, more) {
    const [port, ops] = [await freePort(), await freePort()];
    this.origin = `https://localhost:${port}`;
    writeFileSync(path.join(dir, 'access.cedar'), ACCESS, { mode: 0o600 });
    this.config = path.join(dir, 'locum.toml');
    writeFileSync(this.config, `${config({ dir, portal: port })}\n${more}`, { mode: 0o600 });
    this.app = await storefront(dir, ops, this.origin);
    this.started.push(this.app.program);
    this.locum = await Locum.start({
      dir, ops, app: 'shop', config: path.join(dir, 'locum.toml'),
      env: { LOCUM_UPSTREAMS__STOREFRONT__ADDRESSES: this.app.address },
    });
    this.started.push(this.locum);
    const chromium = await launch(this.locum.ca);
    this.started.push(chromium);
    this.browser = chromium.browser;
  }

  async stop() {
    for (const one of this.started.reverse()) await one.stop();
  }

  /** Brings other rules, as whoever may edit the file does: `from` becomes `to`, and the process is told. */
  rules(from, to) {
    const text = readFileSync(this.config, 'utf8');
    if (!text.includes(from)) throw new Error(`the configuration has no ${from}`);
    writeFileSync(this.config, text.replace(from, to), { mode: 0o600 });
    this.locum.program.child.kill('SIGHUP');
  }

  /** One of [`PEOPLE`], signed in, with a browser of their own. */
  async person(name, options) {
    const page = await open(this.browser, options);
    await page.goto(`${this.origin}/login?to=/consent`);
    await page.locator(`button[name=id][value="${PEOPLE[name].id}"]`).click();
    await page.waitForURL(`${this.origin}/consent`);
    const go = (where) => page.goto(this.origin + where);
    /** Sends one of the portal's forms as its page would, and follows it. */
    const sends = async (from, where, fields) => {
      await go(from);
      return page.evaluate(async ([where, fields]) => {
        const csrf = document.querySelector('input[name=csrf]').value;
        const pairs = Object.entries({ csrf, ...fields }).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
        const answer = await fetch(where, { method: 'POST', body: new URLSearchParams(pairs) });
        return { status: answer.status, url: answer.url, text: await answer.text() };
      }, [where, fields]);
    };
    /** The same as if a person pressed its button: the page that comes of it is there to be looked at. */
    const submits = async (from, where, fields) => {
      await go(from);
      await Promise.all([page.waitForNavigation(), page.evaluate(([where, fields]) => {
        const csrf = document.querySelector('input[name=csrf]')?.value ?? '';
        const form = document.createElement('form');
        Object.assign(form, { method: 'post', action: where, hidden: true });
        for (const [name, value] of Object.entries({ csrf, ...fields })) {
          const field = document.createElement('input');
          Object.assign(field, { name, value });
          form.append(field);
        }
        document.body.append(form);
        form.submit();
      }, [where, fields])]);
    };
    return { page, go, sends, submits, close: () => page.context().close() };
  }
}
