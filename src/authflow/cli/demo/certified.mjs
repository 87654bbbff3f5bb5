// npm's oidc-provider on a free port of loopback, until its input ends: node --input-type=module --eval <this> <callback>
// Each line of its input is a person, {"sub", ...claims}. It says READY <issuer>, and KNOWN for each line, or MISSING.
import http from 'node:http';
import { createInterface } from 'node:readline';

const [callback] = process.argv.slice(-1);
const people = new Map();

const { default: Provider } = await import('oidc-provider').catch((why) => {
  if (why.code === 'ERR_MODULE_NOT_FOUND') console.log('MISSING');
  process.exit(1);
});

const server = http.createServer();
await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [{ client_id: 'client', client_secret: 'a secret', redirect_uris: [callback] }],
  claims: { email: ['email', 'email_verified'], profile: ['name'] },
  pkce: { required: () => true },
  findAccount: (_context, sub) => people.has(sub) && { accountId: sub, claims: () => people.get(sub) },
});
server.on('request', provider.callback());
console.log(`READY ${issuer}`);

for await (const line of createInterface({ input: process.stdin })) {
  const person = JSON.parse(line);
  people.set(person.sub, person);
  console.log('KNOWN');
}
process.exit();
