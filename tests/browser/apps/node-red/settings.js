// Node-RED's settings for use behind Locum: who one is comes from the signed assertion in a header, nobody signs in.
// LOCUM_JWKS is where Locum serves its keys.
const { createPublicKey, verify } = require('node:crypto');

const HEADER = 'x-locum-assertion';
const ISSUER = 'https://localhost:8444';
const AUDIENCE = 'node-red';

const decode = (part) => JSON.parse(Buffer.from(part, 'base64url'));

/** Whom the assertion names, if it is Locum's, for us, and valid now. */
async function subject(assertion) {
  const [head, body, signature] = assertion.split('.');
  const { alg, kid } = decode(head);
  if (alg !== 'ES256') return null;
  const { keys } = await (await fetch(process.env.LOCUM_JWKS)).json();
  const jwk = keys.find((one) => one.kid === kid && one.kty === 'EC' && one.crv === 'P-256');
  if (!jwk) return null;
  const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' };
  if (!verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))) return null;
  const claims = decode(body);
  const now = Date.now() / 1000;
  const isValid = claims.iss === ISSUER && claims.aud === AUDIENCE && claims.exp > now && claims.nbf <= now;
  return isValid ? claims.sub : null;
}

module.exports = {
  uiHost: '127.0.0.1',
  flowFile: 'flows.json',
  credentialSecret: false,
  adminAuth: {
    type: 'credentials',
    users: [],
    tokenHeader: HEADER,
    tokens: async (assertion) => {
      const username = await subject(assertion).catch(() => null);
      return username && { username, permissions: '*' };
    },
  },
  telemetry: { enabled: false, updateNotification: false },
  editorTheme: { tours: false, palette: { catalogues: [] } },
  logging: { console: { level: 'info', metrics: false, audit: true } },
};
