// Coming in by a company's own provider: set up by a person, and used by others.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { enter, picture, startBrowser, startServer } from './harness.mjs';
import { startProvider } from './idp.mjs';

const PASSWORD = 'a calm owl reads at noon';

let server, browser, page, provider;

const button = (name) => page.getByRole('button', { name, exact: true });
const dialog = () => page.getByRole('dialog');
const inDialog = (name) => dialog().getByRole('button', { name, exact: true });
const field = (name) => page.getByLabel(name, { exact: true });
const closed = () => dialog().waitFor({ state: 'detached' });

before(async () => {
  provider = await startProvider();
  server = await startServer({ RALEX_EGRESS_ALLOW: '127.0.0.0/8' });
  browser = await startBrowser();
  page = await browser.open();
  const once = readFileSync(join(server.data, 'first-login'), 'utf8').match(/one-time password: (.+)/)[1];
  await enter(page, server.url, 'owner@localhost', once, PASSWORD);
});

after(async () => {
  await browser?.browser.close();
  await server?.stop();
  await provider?.stop();
});

test('a provider is added, tested and switched on', async () => {
  await page.goto(`${server.url}/o/default/people?view=sign-in`);
  await button('Add provider').click();
  await field('Name').fill('Company');
  await field('Issuer').fill(provider.issuer);
  await field('Client id').fill('ralex');
  await field('Client secret').fill(provider.secret);
  await field('Who is new gets an account by logging in').check();
  await field('Domains of their addresses').fill('example.test');
  await field('Everybody who comes in holds').selectOption('viewer');
  await field('Scopes').fill('email profile groups');
  await field('Group').fill('admins');
  await field('Role').selectOption('admin');
  await button('Add mapping').click();
  await dialog().getByText('admins', { exact: true }).waitFor();
  await picture(page, 'sso-form');
  await inDialog('Save provider').click();
  const callback = await dialog().getByText(/\/api\/v1\/auth\/sso\/.*callback/).innerText();
  assert.match(callback, /^http:\/\/127\.0\.0\.1:\d+\/api\/v1\/auth\/sso\//);
  provider.configure(callback.trim());
  await page.keyboard.press('Escape');
  await closed();
  await button('Test').click();
  await dialog().getByText('The provider answers well').waitFor();
  await picture(page, 'sso-tested');
  await page.keyboard.press('Escape');
  await closed();
  await button('Switch on').click();
  await button('Switch off').waitFor();
  await picture(page, 'sso');
});

/** Somebody who has never been here, in a browser of their own. */
async function visitor(name, path = '/') {
  provider.expect(name);
  const other = await browser.open();
  await other.goto(`${server.url}${path}`);
  await other.getByRole('button', { name: 'Continue with single sign-on', exact: true }).click();
  await other.getByLabel('Organisation or e-mail', { exact: true }).fill(`${name}@example.test`);
  await other.getByRole('button', { name: 'Continue', exact: true }).click();
  return other;
}

test('who is new comes in with the roles that their groups mean', async () => {
  const alice = await visitor('alice');
  await alice.getByRole('link', { name: 'Providers and keys' }).waitFor();
  await alice.context().close();
  const bob = await visitor('bob');
  await bob.getByRole('link', { name: 'Overview' }).waitFor();
  assert.equal(await bob.getByRole('link', { name: 'Audit log' }).count(), 0);
  await bob.goto(`${server.url}/profile`);
  await bob.getByText('Company').first().waitFor();
  await picture(bob, 'sso-profile');
  await bob.context().close();
  await page.goto(`${server.url}/o/default/people`);
  await page.getByRole('row', { name: /Alice/ }).getByText('admin').waitFor();
  await page.getByRole('row', { name: /Bob/ }).getByText('viewer').waitFor();
});

test('who was on the way to a page comes back to it', async () => {
  const bob = await visitor('bob', '/device?code=BCDF-GHJK');
  await bob.getByRole('heading', { name: 'Log a program in' }).waitFor();
  assert.equal(await bob.getByLabel('Code', { exact: true }).inputValue(), 'BCDF-GHJK');
  await bob.context().close();
});

test('an address that the provider does not confirm lets nobody in', async () => {
  const mallory = await visitor('mallory');
  await mallory.getByText('does not confirm your e-mail address', { exact: false }).waitFor();
  await picture(mallory, 'sso-refused');
  await mallory.context().close();
});

test('the provider becomes the only way in, but for the owner who is named', async () => {
  await page.goto(`${server.url}/o/default/people?view=sign-in`);
  await button('Make it the only way in').click();
  await field('Owner who breaks the glass').selectOption({ index: 1 });
  await picture(page, 'sso-enforce');
  await inDialog('Make it the only way in').click();
  await closed();
  await page.getByText('may still use a password', { exact: false }).waitFor();
  await button('Let passwords count again').click();
  await inDialog('Let them').click();
  await closed();
  await button('Make it the only way in').waitFor();
});

test('what it opened ends only when that was said', async () => {
  await button('Switch off').click();
  await dialog().getByText('Every session that it opened ends', { exact: false }).waitFor();
  await inDialog('Cancel').click();
  await closed();
  await button('Switch off').click();
  await inDialog('Switch it off').click();
  await closed();
  await button('Switch on').click();
  await button('Switch off').waitFor();
});

test('somebody is suspended, and let back in', async () => {
  await page.goto(`${server.url}/o/default/people`);
  await button('Suspend Bob').click();
  await inDialog('Suspend').click();
  await closed();
  await page.getByRole('row', { name: /Bob/ }).getByText('Suspended').waitFor();
  await picture(page, 'suspended');
  await button('Let back in Bob').click();
  await inDialog('Let back in').click();
  await closed();
  await button('Suspend Bob').waitFor();
  assert.equal(await button('Suspend Owner').count(), 0, 'nobody suspends themselves');
});

test('the directory is listened to by a token that is shown once', async () => {
  await page.goto(`${server.url}/o/default/people?view=sign-in`);
  await page.getByRole('switch', { name: 'Listen to the directory' }).click();
  const address = await page.getByText(/\/scim\/v2\//).innerText();
  await button('Create token for the directory').click();
  await field('Name').fill('okta');
  await inDialog('Create token').click();
  const token = await dialog().getByText(/^rlx_scim_/).innerText();
  const headers = { authorization: `Bearer ${token.trim()}`, 'content-type': 'application/scim+json' };
  const group = { schemas: ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName: 'Night shift' };
  const made = await fetch(`${address.trim()}/Groups`, { method: 'POST', headers, body: JSON.stringify(group) });
  assert.equal(made.status, 201, await made.text());
  await inDialog('I stored it').click();
  await closed();
  await page.reload();
  await page.getByText('0 members and 1 group').waitFor();
  await picture(page, 'provisioning');
  await page.goto(`${server.url}/o/default/people?view=groups`);
  await page.getByRole('row', { name: /Night shift/ }).getByText('Directory', { exact: true }).waitFor();
  await button('People of Night shift').click();
  await dialog().getByText('The directory decides').waitFor();
  await inDialog('Let people decide').click();
  await inDialog('Let them decide').click();
  await closed();
  await page.getByRole('row', { name: /Night shift/ }).getByText('Directory', { exact: true }).waitFor({ state: 'detached' });
  await page.goto(`${server.url}/o/default/people?view=sign-in`);
  await page.getByRole('switch', { name: 'Listen to the directory' }).click();
  await dialog().getByText('by its 1 token any more', { exact: false }).waitFor();
  await inDialog('Stop listening').click();
  await closed();
  await page.getByRole('switch', { name: 'Listen to the directory', checked: false }).waitFor();
});

test('no script failed and nothing was blocked', () => {
  assert.deepEqual(browser.troubles, []);
});
