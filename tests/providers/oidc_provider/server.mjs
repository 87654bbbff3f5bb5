// A certified OpenID provider on a free port of loopback. Prints "READY <issuer>" once it listens.
// POST /control/rotate signs with a new key from then on; POST /control/delay/<ms> makes its tokens late.
import http from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import Provider from 'oidc-provider';

const redirect = process.env.REDIRECT_URI;
const accounts = { alice: { email: 'alice@acme.example', email_verified: true, name: 'Alice' } };
const stored = new Map(); // shared by every key's provider, so that what was granted outlives a rotation

class Stored {
  constructor(kind) { this.kind = kind; }

  key(id) { return `${this.kind}:${id}`; }

  async upsert(id, payload) { stored.set(this.key(id), { ...payload }); }

  async find(id) { return stored.get(this.key(id)); }

  async findByUid(uid) {
    return [...stored].find(([key, value]) => key.startsWith(`${this.kind}:`) && value.uid === uid)?.[1];
  }

  async findByUserCode() { return undefined; }

  async destroy(id) { stored.delete(this.key(id)); }

  async revokeByGrantId(grantId) {
    for (const [key, value] of stored) if (value.grantId === grantId) stored.delete(key);
  }

  async consume(id) { stored.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }
}

let issuer;
let delay = 0;
let answer;

function signingWith(kid) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const provider = new Provider(issuer, {
    adapter: Stored,
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }] },
    cookies: { keys: ['a key of a test'] },
    clients: [{
      client_id: 'client',
      client_secret: 'a secret',
      redirect_uris: [redirect],
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'client_secret_basic',
    }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true }, revocation: { enabled: true } },
    findAccount: async (_context, id) => accounts[id] && {
      accountId: id,
      claims: async () => ({ sub: id, ...accounts[id] }),
    },
  });
  return provider.callback();
}

const server = http.createServer((request, response) => {
  const [, control, what, value] = request.url.split('/');
  if (control === 'control') {
    if (what === 'rotate') answer = signingWith(randomUUID());
    if (what === 'delay') delay = Number(value);
    response.end('done');
    return;
  }
  if (delay && request.url === '/token') { // the work is done at once, only its answer is late
    const end = response.end.bind(response);
    const late = delay;
    response.end = (...parts) => { setTimeout(() => end(...parts), late); return response; };
  }
  answer(request, response);
});

server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  answer = signingWith('first');
  console.log(`READY ${issuer}`);
});
