// A review of access: set up, decided many at once, closed, signed, and its evidence downloaded.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { enter, picture, startBrowser, startServer } from './harness.mjs';

const PASSWORD = 'a calm owl reads at noon';

let server, browser, owner, ann;

const button = (page, name) => page.getByRole('button', { name, exact: true });
const dialog = (page) => page.getByRole('dialog');
const inDialog = (page, name) => dialog(page).getByRole('button', { name, exact: true });
const field = (page, name) => dialog(page).getByLabel(name, { exact: true });
const closed = (page) => dialog(page).waitFor({ state: 'detached' });
const row = (page, text) => page.getByRole('row').filter({ hasText: text });
const reviews = (page) => page.goto(`${server.url}/o/default/people?view=reviews`);
const add = async (email, role) => {
  const added = await owner.request.post(`${server.url}/api/v1/orgs/default/members`, {
    data: { email, name: email.split('@')[0], role }, headers: { origin: server.url },
  });
  return (await added.json()).one_time_password;
};

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  owner = await browser.open();
  const once = readFileSync(join(server.data, 'first-login'), 'utf8').match(/one-time password: (.+)/)[1];
  await enter(owner, server.url, 'owner@localhost', once, PASSWORD);
  const first = await add('ann@example.com', 'auditor');
  await add('bob@example.com', 'viewer');
  await add('eve@example.com', 'viewer');
  ann = await browser.open();
  await enter(ann, server.url, 'ann@example.com', first, `${PASSWORD} too`);
});

after(async () => {
  await browser?.browser.close();
  await server?.stop();
});

test('a review is set up and lists what is held', async () => {
  await reviews(owner);
  await owner.getByText('No reviews yet').waitFor();
  await picture(owner, 'reviews-none');
  await button(owner, 'New review').click();
  await field(owner, 'Name').fill('Viewers');
  await field(owner, 'Only these roles').fill('viewer nobody');
  await field(owner, 'Again').selectOption('quarterly');
  await inDialog(owner, 'Open it').click();
  await dialog(owner).getByText(/not a role: "nobody"/).first().waitFor();
  await field(owner, 'Only these roles').fill('viewer');
  await picture(owner, 'reviews-new');
  await inDialog(owner, 'Open it').click();
  await closed(owner);
  await row(owner, 'Viewers').getByText('Scheduled').waitFor();
  await picture(owner, 'reviews-list');
  await row(owner, 'Viewers').filter({ hasText: 'Open' }).getByRole('button').click();
  await row(owner, 'bob@example.com').waitFor();
  assert.equal(await row(owner, 'owner@localhost').count(), 0);
  assert.equal(await button(owner, 'Close review').count(), 0);
});

test('who only reads sees it, and can do nothing in it', async () => {
  await reviews(ann);
  await row(ann, 'Viewers').filter({ hasText: 'Open' }).getByRole('button').click();
  await row(ann, 'bob@example.com').waitFor();
  assert.equal(await ann.getByRole('checkbox').count(), 0);
  for (const name of ['Keep', 'Remove', 'Cancel review', 'Close review']) {
    assert.equal(await button(ann, name).count(), 0, name);
  }
  await ann.getByRole('link', { name: 'Evidence' }).waitFor();
  await picture(ann, 'reviews-reader');
});

test('many are decided at once, with a reason where one is needed', async () => {
  await button(owner, 'Choose all shown').click();
  await owner.getByText('2 chosen').waitFor();
  await owner.getByLabel('bob@example.com, viewer').uncheck();
  await button(owner, 'Remove').click();
  await inDialog(owner, 'Remove').click();
  assert.equal(await dialog(owner).count(), 1);
  await field(owner, 'Reason').fill('Left the team');
  await picture(owner, 'reviews-remove');
  await inDialog(owner, 'Remove').click();
  await closed(owner);
  await row(owner, 'eve@example.com').locator('td').last().getByText('Remove').waitFor();
  await owner.getByLabel('bob@example.com, viewer').check();
  await button(owner, 'Keep').click();
  await field(owner, 'Reason').fill('Needs it');
  await inDialog(owner, 'Keep').click();
  await closed(owner);
  await row(owner, 'bob@example.com').locator('td').last().getByText('Keep').waitFor();
  await picture(owner, 'reviews-decided');
});

test('it is closed, what was decided is done, and it is signed', async () => {
  await button(owner, 'Close review').click();
  await dialog(owner).getByText(/1 role will be taken away/).waitFor();
  await picture(owner, 'reviews-close');
  await inDialog(owner, 'Close review').click();
  await closed(owner);
  await row(owner, 'eve@example.com').getByText('Removed').waitFor();
  await row(owner, 'bob@example.com').getByText('Kept').waitFor();
  const left = await owner.request.get(`${server.url}/api/v1/orgs/default/bindings?role=viewer`);
  assert.equal((await left.json()).items.length, 1);
  await button(owner, 'Sign').click();
  await field(owner, 'What you sign').fill('Looked at by the owner.');
  await inDialog(owner, 'Sign').click();
  await closed(owner);
  await owner.getByText('Signed by owner@localhost: Looked at by the owner.').waitFor();
  await picture(owner, 'reviews-signed');
  const download = owner.waitForEvent('download');
  await owner.getByRole('link', { name: 'Evidence' }).click();
  const text = readFileSync(await (await download).path(), 'utf8');
  assert.match(text, /eve@example.com.*Left the team,removed/);
});

test('the next of the series is called off', async () => {
  await button(owner, 'All reviews').click();
  await row(owner, 'Viewers').filter({ hasText: 'Scheduled' }).getByRole('button').click();
  await button(owner, 'Cancel review').click();
  await inDialog(owner, 'Cancel review').click();
  await closed(owner);
  await button(owner, 'All reviews').click();
  await row(owner, 'Viewers').filter({ hasText: 'Cancelled' }).waitFor();
});

test('no script failed, nothing was blocked, and no other host was asked', () => {
  assert.deepEqual(browser.troubles, []);
});
