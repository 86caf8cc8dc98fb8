// A company's identity provider (npm oidc-provider): whoever is named in `next` comes in, without a form of its own.

import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const PEOPLE = {
  alice: { email: 'alice@example.test', email_verified: true, name: 'Alice', groups: ['admins', 'everybody'] },
  bob: { email: 'bob@example.test', email_verified: true, name: 'Bob', groups: ['everybody'] },
  mallory: { email: 'mallory@example.test', email_verified: false, name: 'Mallory', groups: ['admins'] },
};

/** Starts it for one client; `expect(name)` says who comes in next. */
export async function startProvider() {
  const http = createServer();
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${http.address().port}`;
  const client = { client_id: 'ralex', client_secret: 'a-secret-of-the-client', redirect_uris: [], grant_types: ['authorization_code'], response_types: ['code'] };
  let next = 'alice';
  let provider;
  const configure = (redirect) => {
    provider = new Provider(issuer, {
      clients: [{ ...client, redirect_uris: [redirect] }],
      cookies: { keys: ['of this test only'] },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
      scopes: ['openid', 'email', 'profile', 'groups'],
      conformIdTokenClaims: false,
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
      findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id, ...PEOPLE[id] }) }),
    });
    provider.use(async (context, go) => {
      if (!context.path.startsWith('/interaction/')) return go();
      const asked = await provider.interactionDetails(context.req, context.res);
      if (asked.prompt.name === 'login') {
        return provider.interactionFinished(context.req, context.res, { login: { accountId: next, remember: false } }, { mergeWithLastSubmission: false });
      }
      const grant = new provider.Grant({ accountId: asked.session.accountId, clientId: asked.params.client_id });
      grant.addOIDCScope('openid email profile groups');
      return provider.interactionFinished(context.req, context.res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
    });
    http.removeAllListeners('request');
    http.on('request', provider.callback());
  };
  configure('http://127.0.0.1:1/not-yet');
  return {
    issuer,
    secret: client.client_secret,
    configure,
    expect: (name) => { next = name; },
    stop: () => new Promise((resolve) => { http.closeAllConnections(); http.close(resolve); }),
  };
}
