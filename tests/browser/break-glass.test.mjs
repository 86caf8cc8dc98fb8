// Break-glass: armed by an owner, opened by two people with a passkey each, ended, and reviewed by a third.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { enter, eventually, picture, startBrowser, startServer } from './harness.mjs';

const PASSWORD = 'a calm owl reads at noon';

let server, browser, owner, ann, ben;

const button = (page, name) => page.getByRole('button', { name, exact: true });
const dialog = (page) => page.getByRole('dialog');
const inDialog = (page, name) => dialog(page).getByRole('button', { name, exact: true });
const field = (page, name) => dialog(page).getByLabel(name, { exact: true });
const closed = (page) => dialog(page).waitFor({ state: 'detached' });
const glass = (page) => page.goto(`${server.url}/o/default/break-glass`);
const post = (page, path, data) =>
  page.request.post(`${server.url}/api/v1/orgs/default/${path}`, { data, headers: { origin: server.url } });
const addsTeam = async (page, slug) => (await post(page, 'teams', { slug, name: slug })).status();

/** A port that is free: what the server says of itself has to be where it is. */
const freePort = () => new Promise((resolve) => {
  const taken = createServer().listen(0, '127.0.0.1', () => {
    const { port } = taken.address();
    taken.close(() => resolve(port));
  });
});

/** Somebody who may look and no more, and has a passkey. */
async function person(name) {
  const email = `${name.toLowerCase()}@example.com`;
  const added = await post(owner, 'members', { email, name, role: 'viewer' });
  const page = await browser.open();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true,
      isUserVerified: true, automaticPresenceSimulation: true,
    },
  });
  await enter(page, server.url, email, (await added.json()).one_time_password, `${PASSWORD} ${name}`);
  await page.goto(`${server.url}/profile`);
  await button(page, 'Add passkey').click();
  await field(page, 'Name').fill('phone');
  await inDialog(page, 'Continue').click();
  await inDialog(page, 'I stored it').click();
  await closed(page);
  return page;
}

before(async () => {
  const port = await freePort();
  server = await startServer({ RALEX_LISTEN: `127.0.0.1:${port}`, RALEX_PUBLIC_URL: `http://localhost:${port}` });
  browser = await startBrowser();
  owner = await browser.open();
  const once = readFileSync(join(server.data, 'first-login'), 'utf8').match(/one-time password: (.+)/)[1];
  await enter(owner, server.url, 'owner@localhost', once, PASSWORD);
  ann = await person('Ann');
  ben = await person('Ben');
});

after(async () => {
  await browser?.browser.close();
  await server?.stop();
});

test('an owner says who may open it, and is told what it never gives', async () => {
  await glass(owner);
  await owner.getByText('Not armed').waitFor();
  await picture(owner, 'break-glass-not-armed');
  await button(owner, 'Arm').click();
  await field(owner, 'Who may open it').fill('ann@example.com\nnobody@example.com');
  await dialog(owner).getByText('It never gives').waitFor();
  await inDialog(owner, 'Arm').click();
  await dialog(owner).getByRole('alert').first().waitFor();
  await field(owner, 'Who may open it').fill('ann@example.com\nben@example.com');
  await picture(owner, 'break-glass-arm');
  await inDialog(owner, 'Arm').click();
  await closed(owner);
  await owner.getByText('Ann (ann@example.com)').waitFor();
  await picture(owner, 'break-glass-armed');
  assert.equal(await button(owner, 'Open').count(), 0, 'the owner is not named');
});

test('one person alone gets nothing, and two get what it gives', async () => {
  await glass(ann);
  await button(ann, 'Open').click();
  await field(ann, 'Reason').fill('Nobody who may is awake');
  await picture(ann, 'break-glass-open');
  await inDialog(ann, 'Ask with a passkey').click();
  await closed(ann);
  await ann.getByText('Another named person can confirm it until').first().waitFor();
  assert.equal(await button(ann, 'Confirm with a passkey').count(), 0);
  assert.equal(await addsTeam(ann, 'early'), 403);
  await glass(ben);
  await ben.getByText('Nobody who may is awake').first().waitFor();
  await picture(ben, 'break-glass-asked');
  await button(ben, 'Confirm with a passkey').click();
  await button(ben, 'End it now').waitFor();
  await picture(ben, 'break-glass-is-open');
  assert.equal(await addsTeam(ann, 'harbour'), 201);
  assert.equal(await addsTeam(ben, 'pier'), 201);
  await owner.goto(`${server.url}/o/default`);
  await owner.getByText('break-glass', { exact: false }).first().waitFor();
  await picture(owner, 'break-glass-elsewhere');
});

test('it ends at once, and somebody else closes its review', async () => {
  await button(ben, 'End it now').click();
  await eventually(async () => assert.equal(await addsTeam(ann, 'late'), 403));
  await glass(ann);
  await ann.getByRole('row').filter({ hasText: 'Nobody who may is awake' }).getByText('Waits').waitFor();
  assert.equal(await button(ann, 'Review').count(), 0, 'nobody reviews their own use');
  await glass(owner);
  await button(owner, 'Review').click();
  await field(owner, 'What came of it').fill('Two teams were made, and stay');
  await inDialog(owner, 'Close the review').click();
  await closed(owner);
  await owner.getByText('Two teams were made, and stay').waitFor();
  await picture(owner, 'break-glass-reviewed');
});

test('nothing went wrong on the way', async () => {
  await eventually(() => assert.deepEqual(browser.troubles, []));
});
