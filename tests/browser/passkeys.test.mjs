// Passkeys with the authenticator that Chromium has for tests: made, used at every door, and removed.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { enter, eventually, picture, startBrowser, startServer } from './harness.mjs';

const PASSWORD = 'a calm owl reads at noon';

let server, browser, page, authenticator, devtools;

const button = (name) => page.getByRole('button', { name, exact: true });
const dialog = () => page.getByRole('dialog');
const inDialog = (name) => dialog().getByRole('button', { name, exact: true });
const field = (name) => page.getByLabel(name, { exact: true });
const closed = () => dialog().waitFor({ state: 'detached' });
const section = (title) => page.locator('section.panel').filter({ has: page.getByRole('heading', { name: title, exact: true }) });

/** A port that is free: what the server says of itself has to be where it is. */
const freePort = () => new Promise((resolve) => {
  const taken = createServer().listen(0, '127.0.0.1', () => {
    const { port } = taken.address();
    taken.close(() => resolve(port));
  });
});

/** The session's cookie goes, as on a machine that nobody has signed in on. */
async function signedOut() {
  const kept = (await page.context().cookies()).filter((cookie) => !cookie.name.endsWith('ralex_session'));
  await page.context().clearCookies();
  await page.context().addCookies(kept);
  await page.goto(server.url);
  await button('Sign in').waitFor();
}

/** An authenticator that holds passkeys, and lets its owner in or not. */
async function plugIn(settings = {}) {
  const options = {
    protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true,
    isUserVerified: true, automaticPresenceSimulation: true, ...settings,
  };
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', { options });
  return authenticatorId;
}

before(async () => {
  const port = await freePort();
  server = await startServer({ RALEX_LISTEN: `127.0.0.1:${port}`, RALEX_PUBLIC_URL: `http://localhost:${port}` });
  browser = await startBrowser();
  page = await browser.open();
  devtools = await page.context().newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  authenticator = await plugIn();
  const once = readFileSync(join(server.data, 'first-login'), 'utf8').match(/one-time password: (.+)/)[1];
  await enter(page, server.url, 'owner@localhost', once, PASSWORD);
});

after(async () => {
  await browser?.browser.close();
  await server?.stop();
});

test('a passkey is added on the profile page, with recovery codes', async () => {
  await page.goto(`${server.url}/profile`);
  await section('Second factor').getByText('None.').waitFor();
  await picture(page, 'passkeys-none');
  await button('Add passkey').click();
  await field('Name').fill('work laptop');
  await picture(page, 'passkey-add');
  await inDialog('Continue').click();
  await dialog().getByText('This is shown once').waitFor();
  await picture(page, 'passkey-codes');
  await inDialog('I stored it').click();
  await closed();
  await section('Second factor').getByText('work laptop').waitFor();
  await section('Second factor').getByText('10 recovery codes are left.').waitFor();
  const { credentials } = await devtools.send('WebAuthn.getCredentials', { authenticatorId: authenticator });
  assert.equal(credentials.length, 1);
  assert.ok(credentials[0].isResidentCredential);
  assert.equal(credentials[0].rpId, 'localhost');
  await picture(page, 'passkeys');
});

test('it gets another name', async () => {
  await section('Second factor').getByRole('button', { name: 'Rename' }).click();
  await field('Name').fill('old laptop');
  await inDialog('Rename').click();
  await closed();
  await section('Second factor').getByText('old laptop').waitFor();
});

test('it completes a login after the password', async () => {
  await signedOut();
  await picture(page, 'passkey-login');
  await field('E-mail').fill('owner@localhost');
  await field('Password').fill(PASSWORD);
  await button('Sign in').click();
  await page.getByText('Now the second factor').waitFor();
  await picture(page, 'passkey-second');
  await button('Use a passkey').click();
  await page.getByRole('navigation').first().waitFor();
});

test('a passkey that is not the owner’s own hands says so, and lets nobody in', async () => {
  await signedOut();
  await devtools.send('WebAuthn.setUserVerified', { authenticatorId: authenticator, isUserVerified: false });
  await button('Sign in with a passkey').click();
  await page.getByText('No passkey answered').waitFor();
  await picture(page, 'passkey-refused');
  await devtools.send('WebAuthn.setUserVerified', { authenticatorId: authenticator, isUserVerified: true });
});

test('it alone signs in, without an address or a password', async () => {
  await button('Sign in with a passkey').click();
  await page.getByRole('navigation').first().waitFor();
  await page.goto(`${server.url}/profile`);
  await section('Second factor').getByText('last used').waitFor();
});

test('it is a fresh proof where one is asked for', async () => {
  // A proof gets old in ten minutes; here the server's refusal comes at once, and only once.
  const old = { type: 'urn:ralex:problem:step_up_required', title: 'Fresh proof required', status: 403, code: 'step_up_required', detail: 'Prove again who you are.' };
  await page.route('**/api/v1/auth/recovery-codes', (route) => route.fulfill({
    status: 403, contentType: 'application/problem+json', body: JSON.stringify(old),
  }), { times: 1 });
  await button('New codes').click();
  await dialog().getByText('also printed ones', { exact: false }).waitFor();
  await inDialog('Make new codes').click();
  await dialog().getByText('Confirm that it is you').waitFor();
  await inDialog('Use a passkey').waitFor();
  await picture(page, 'passkey-proof');
  const proven = page.waitForResponse((answer) => answer.url().endsWith('/auth/step-up'));
  await inDialog('Use a passkey').click();
  assert.deepEqual((await (await proven).json()).methods, ['passkey']);
  await dialog().getByText('This is shown once').waitFor();
  await inDialog('I stored it').click();
  await closed();
});

test('with its removal the session that it opened is over, and the password is enough', async () => {
  await section('Second factor').getByRole('button', { name: 'Remove' }).click();
  await picture(page, 'passkey-remove');
  await inDialog('Remove passkey').click();
  await button('Sign in').waitFor();
  await button('Sign in with a passkey').click();
  await page.getByText('This passkey is not known here').waitFor();
  await field('E-mail').fill('owner@localhost');
  await field('Password').fill(PASSWORD);
  await button('Sign in').click();
  await page.getByRole('navigation').first().waitFor();
});

test('nothing went wrong on the way', async () => {
  await eventually(() => assert.deepEqual(browser.troubles, []));
});
