// A real OpenID provider (the certified `oidc-provider`) on loopback, with a small company in it.
//   node provider.mjs PORTAL [PORT]      prints the issuer when it listens
// PORTAL is the portal's origin, as in https://localhost:8444. Anybody signs in with their id and the password "password";
// where `acr_values` asks for `mfa`, the form takes the code "000000" besides. Whoever leaves it empty is signed in with
// `pwd` all the same: `acr_values` is a wish (OpenID Connect Core §3.1.2.1), so the client must look at what came of it.
// Locum's client is `locum` with the secret `locum-test-secret`. NODE_EXTRA_CA_CERTS names the CA of the portal's certificate,
// for back-channel logout.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';

const [portal, wanted] = process.argv.slice(2);
if (!portal) {
  console.error('usage: node provider.mjs PORTAL [PORT]');
  process.exit(2);
}

export const people = {
  ada: { name: 'Ada Byron', email: 'ada@support.example', groups: ['support'] },
  // A second account of the same human being.
  'ada-admin': { name: 'Ada Byron (admin)', email: 'Ada@support.example', groups: ['support-leads'] },
  ben: { name: 'Ben Okri', email: 'ben@support.example', groups: ['support-leads'] },
  cleo: { name: 'Cleo Marsh', email: 'cleo@support.example', groups: ['support-leads'] },
  sam: { name: 'Sam Ito', email: 'sam@security.example', groups: ['security', 'auditors'] },
  eli: { name: 'Eli Roth', email: 'eli@support.example', groups: ['on-call'] },
  root: { name: 'Rut Ott', email: 'root@platform.example', groups: ['platform'] },
  kim: { name: 'Kim Lee', email: 'kim@acme.example', groups: ['acme-auditors'] },
};

const html = text => String(text).replace(/[&<>"']/g, c => `&#${c.charCodeAt(0)};`);

const frame = (title, body) => `<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>${title} · Example ID</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui;display:grid;place-items:start center}
form{display:grid;gap:16px;width:min(320px,90vw);margin-top:12vh}input,button{font:inherit;padding:8px}</style>
${body}</html>`;

const listener = createServer();
await new Promise(done => listener.listen(Number(wanted ?? 0), '127.0.0.1', done));
const issuer = `http://127.0.0.1:${listener.address().port}`;

const key = (type, options, more) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use: 'sig', ...more,
});

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'locum',
    client_secret: 'locum-test-secret',
    redirect_uris: [`${portal}/login/callback`],
    post_logout_redirect_uris: [`${portal}/login/out`],
    backchannel_logout_uri: `${portal}/login/backchannel`,
    backchannel_logout_session_required: true,
    grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code'],
    id_token_signed_response_alg: 'ES256',
  }],
  jwks: {
    keys: [
      key('ec', { namedCurve: 'P-256' }, { kid: 'ec-1', alg: 'ES256' }),
      key('rsa', { modulusLength: 2048 }, { kid: 'rsa-1', alg: 'RS256' }),
    ],
  },
  cookies: { keys: ['only', 'for', 'tests'] },
  // The portal is on loopback, which the provider's own guard against forged requests would not call back.
  fetch: (url, { dispatcher: _, ...options }) => fetch(url, options),
  pkce: { required: () => true },
  acrValues: ['mfa', 'pwd'],
  scopes: ['openid', 'profile', 'email', 'groups'],
  claims: {
    openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'], groups: ['groups'],
    acr: null, amr: null, auth_time: null, iss: null, sid: null,
  },
  features: {
    devInteractions: { enabled: false },
    deviceFlow: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (context, form) => {
        context.body = frame('Sign out', `${form}<h1>Sign out of Example ID?</h1><button form="op.logoutForm" name="logout" value="yes">Sign out</button>`);
      },
      postLogoutSuccessSource: (context) => { context.body = frame('Signed out', '<h1>You are signed out of Example ID</h1>'); },
    },
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  async findAccount(_, id) {
    const person = people[id];
    return person && { accountId: id, claims: () => ({ sub: id, email_verified: true, ...person }) };
  },
  // Nobody is asked whether Locum may know who they are.
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope('openid profile email groups');
    grant.addOIDCClaims(['acr', 'amr', 'auth_time', 'sid']);
    await grant.save();
    return grant;
  },
});

const page = (uid, factor, problem) => frame('Sign in', `
<form method="post" action="/interaction/${html(uid)}"><h1>Example ID</h1>${problem ? `<p role="alert">${html(problem)}</p>` : ''}
<label>Account <input name="login" autocomplete="username" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
${factor ? '<label>Code <input name="code" inputmode="numeric" autocomplete="one-time-code"></label>' : ''}
<button>Sign in</button></form>`);

async function form(request) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > 4096) throw new Error('too long');
  }
  return new URLSearchParams(body);
}

async function interaction(request, response) {
  const { uid, prompt, params } = await provider.interactionDetails(request, response);
  const factor = (params.acr_values ?? '').split(' ').includes('mfa');
  const show = problem => {
    response.writeHead(problem ? 401 : 200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
    response.end(page(uid, factor, problem));
  };
  if (request.method !== 'POST') return show();
  const given = await form(request);
  const id = given.get('login');
  const code = factor ? given.get('code') : '';
  const known = Object.hasOwn(people, id) && given.get('password') === 'password' && ['', '000000'].includes(code);
  if (prompt.name !== 'login' || !known) return show('That was not right.');
  const login = { accountId: id, acr: code ? 'mfa' : 'pwd', amr: code ? ['pwd', 'otp'] : ['pwd'] };
  return provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
}

const callback = provider.callback();
listener.on('request', (request, response) => {
  const done = request.url.startsWith('/interaction/') ? interaction(request, response) : callback(request, response);
  Promise.resolve(done).catch(error => {
    console.error(error);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  });
});
provider.on('backchannel.error', (_, error) => console.error(error));
provider.on('server_error', (_, error) => console.error(error));
console.log(issuer);
process.on('SIGTERM', () => process.exit(0));
