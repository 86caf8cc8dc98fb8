// A role for a while: asked for by one person, decided by another, held and given back.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { enter, eventually, picture, startBrowser, startServer } from './harness.mjs';

const PASSWORD = 'a calm owl reads at noon';

let server, browser, owner, ann;

const button = (page, name) => page.getByRole('button', { name, exact: true });
const dialog = (page) => page.getByRole('dialog');
const inDialog = (page, name) => dialog(page).getByRole('button', { name, exact: true });
const field = (page, name) => dialog(page).getByLabel(name, { exact: true });
const closed = (page) => dialog(page).waitFor({ state: 'detached' });
const row = (page, text) => page.getByRole('row').filter({ hasText: text });
const requests = async (page) => {
  await page.goto(`${server.url}/o/default/people?view=access`);
  await button(page, 'Ask for access').waitFor();
};

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  owner = await browser.open();
  const once = readFileSync(join(server.data, 'first-login'), 'utf8').match(/one-time password: (.+)/)[1];
  await enter(owner, server.url, 'owner@localhost', once, PASSWORD);
  const added = await owner.request.post(`${server.url}/api/v1/orgs/default/members`, {
    data: { email: 'ann@example.com', name: 'Ann', role: 'viewer' }, headers: { origin: server.url },
  });
  ann = await browser.open();
  await enter(ann, server.url, 'ann@example.com', (await added.json()).one_time_password, `${PASSWORD} too`);
});

after(async () => {
  await browser?.browser.close();
  await server?.stop();
});

test('a role is asked for with a reason, and who asked can only withdraw it', async () => {
  await requests(ann);
  assert.equal(await button(ann, 'To decide').count(), 0);
  assert.equal(await button(ann, 'Settings').count(), 0);
  await button(ann, 'Ask for access').click();
  await field(ann, 'Role').selectOption('developer');
  await field(ann, 'Minutes').fill('0');
  await field(ann, 'Reason').fill('The night shift');
  await inDialog(ann, 'Ask').click();
  await dialog(ann).getByText('Enter a whole number from 1 up.').waitFor();
  await field(ann, 'Minutes').fill('30');
  await picture(ann, 'access-ask');
  await inDialog(ann, 'Ask').click();
  await closed(ann);
  await row(ann, 'developer').getByText('Waiting').waitFor();
  await row(ann, 'developer').click();
  await inDialog(ann, 'Withdraw').waitFor();
  assert.equal(await inDialog(ann, 'Approve').count(), 0);
  await ann.keyboard.press('Escape');
  await closed(ann);
});

test('who may give it sees that it waits, reads it, and approves', async () => {
  await requests(owner);
  await owner.getByRole('navigation').getByRole('link', { name: /People.*1/ }).waitFor();
  await row(owner, 'ann@example.com').click();
  await dialog(owner).getByText('The night shift').waitFor();
  await field(owner, 'Your reason').fill('On call tonight');
  await picture(owner, 'access-decide');
  await dialog(owner).locator('button[type=submit]').click();
  await closed(owner);
  await owner.getByText('Nothing waits for you').waitFor();
  await owner.getByRole('link', { name: /People.*waiting/ }).waitFor({ state: 'detached' });
  await button(owner, 'All').click();
  await row(owner, 'ann@example.com').getByText('Held').waitFor();
  await picture(owner, 'access-list');
  await owner.reload();
  await row(owner, 'ann@example.com').click();
  await dialog(owner).getByText('The night shift').waitFor();
  // The usual filter does not show it any more; its address does.
  const address = new URL(owner.url());
  address.searchParams.delete('which');
  await owner.goto(address.href);
  await dialog(owner).getByText('The night shift').waitFor();
});

test('it opens what it is for at once, and is given back', async () => {
  await requests(ann);
  await ann.getByRole('link', { name: 'Playground' }).waitFor();
  await row(ann, 'developer').getByText('Held').click();
  await dialog(ann).getByText('On call tonight').waitFor();
  await picture(ann, 'access-held');
  await inDialog(ann, 'End it now').click();
  await closed(ann);
  await row(ann, 'developer').getByText('Taken back').waitFor();
  await requests(ann);
  await eventually(async () => {
    assert.equal(await ann.getByRole('link', { name: 'Playground' }).count(), 0);
  });
});

test('how many must approve is set, and a denial is told with its reason', async () => {
  await requests(owner);
  await button(owner, 'Settings').click();
  await field(owner, 'Approvals needed').fill('2');
  await picture(owner, 'access-settings');
  await inDialog(owner, 'Save').click();
  await closed(owner);
  await requests(ann);
  await button(ann, 'Ask for access').click();
  await field(ann, 'Role').selectOption('billing');
  await field(ann, 'Reason').fill('The invoices');
  await inDialog(ann, 'Ask').click();
  await closed(ann);
  await requests(owner);
  await row(owner, 'billing').click();
  await dialog(owner).getByText('0 of 2').waitFor();
  await inDialog(owner, 'Deny').first().click();
  await field(owner, 'Your reason').fill('Ask the accountants');
  await dialog(owner).locator('button[type=submit]').click();
  await closed(owner);
  await requests(ann);
  await row(ann, 'billing').getByText('Denied').click();
  await dialog(ann).getByText('Ask the accountants').waitFor();
});

test('no script failed, nothing was blocked, and no other host was asked', () => {
  assert.deepEqual(browser.troubles, []);
});
