// An operator makes an organisation, closes it, and has it deleted; its people see what happens.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { enter, picture, startBrowser, startServer, welcome } from './harness.mjs';

const PASSWORD = 'a calm owl reads at noon';

let server, browser, operator, ann;

const button = (page, name) => page.getByRole('button', { name, exact: true });
const dialog = (page) => page.getByRole('dialog');
const inDialog = (page, name) => dialog(page).getByRole('button', { name, exact: true });
const field = (page, name) => dialog(page).getByLabel(name, { exact: true });
const closed = (page) => dialog(page).waitFor({ state: 'detached' });
const row = (page, text) => page.getByRole('row').filter({ hasText: text });

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  operator = await browser.open();
  const once = readFileSync(join(server.data, 'first-login'), 'utf8').match(/one-time password: (.+)/)[1];
  await enter(operator, server.url, 'owner@localhost', once, PASSWORD);
});

after(async () => {
  await browser?.browser.close();
  await server?.stop();
});

test('an operator makes an organisation, whose owner signs in to it', async () => {
  await button(operator, 'Your account, Owner').click();
  await operator.getByRole('link', { name: 'Organisations' }).click();
  await row(operator, 'default').getByText('Active').waitFor();
  await button(operator, 'Create organisation').click();
  await field(operator, 'Name').fill('Acme');
  await field(operator, "Owner's e-mail").fill('ann@example.com');
  await inDialog(operator, 'Create organisation').click();
  // Who is new needs a name.
  await dialog(operator).getByText('new to Ralex').first().waitFor();
  await field(operator, "Owner's name").fill('Ann');
  await inDialog(operator, 'Create organisation').click();
  await dialog(operator).getByText('Invite Ann').waitFor();
  const link = await dialog(operator).locator('pre').first().textContent();
  await inDialog(operator, 'I stored it').click();
  await closed(operator);
  await row(operator, 'Acme').getByText('Active').waitFor();
  await picture(operator, 'organisations');
  ann = await browser.open();
  await welcome(ann, link.trim(), 'ann@example.com', `${PASSWORD} too`);
  await ann.goto(`${server.url}/o/acme/people`);
  await row(ann, 'ann@example.com').waitFor();
  await ann.goto(`${server.url}/organisations`);
  await ann.getByText('There is no such page').waitFor();
});

test('what is suspended says so to its people, and opens again', async () => {
  await button(operator, 'Suspend Acme').click();
  await inDialog(operator, 'Suspend').click();
  await dialog(operator).getByText('Fill this in.').waitFor();
  await field(operator, 'Why').fill('The invoice of June is open.');
  await inDialog(operator, 'Suspend').click();
  await closed(operator);
  await row(operator, 'Acme').getByText('Suspended').waitFor();
  await ann.goto(`${server.url}/o/acme`);
  await ann.getByText('Acme is closed').waitFor();
  await ann.getByText('The invoice of June is open.').waitFor();
  await picture(ann, 'organisation-closed');
  await button(operator, 'Open Acme again').click();
  await inDialog(operator, 'Open again').click();
  await closed(operator);
  await row(operator, 'Acme').getByText('Active').waitFor();
  await ann.goto(`${server.url}/o/acme/people`);
  await row(ann, 'ann@example.com').waitFor();
});

test('what is to be deleted can be kept', async () => {
  await button(operator, 'Delete Acme').click();
  await field(operator, 'Why').fill('The contract has ended.');
  await field(operator, 'Days until then').fill('400');
  await inDialog(operator, 'Delete').click();
  await dialog(operator).getByText('from 1 to 365').first().waitFor();
  await field(operator, 'Days until then').fill('7');
  await picture(operator, 'organisation-delete');
  await inDialog(operator, 'Delete').click();
  await closed(operator);
  await row(operator, 'Acme').getByText('To be deleted').waitFor();
  await ann.goto(`${server.url}/o/acme`);
  await ann.getByText('The contract has ended.').waitFor();
  await button(operator, 'Open Acme again').click();
  await inDialog(operator, 'Keep').click();
  await closed(operator);
  await row(operator, 'Acme').getByText('Active').waitFor();
});

test('operators are added and removed, and the last one stays', async () => {
  await button(operator, 'Operators').click();
  await row(operator, 'owner@localhost').waitFor();
  assert.equal(await button(operator, 'Remove Owner').count(), 0);
  await button(operator, 'Add operator').click();
  await field(operator, 'E-mail').fill('nobody@example.com');
  await inDialog(operator, 'Add operator').click();
  await dialog(operator).getByText('nobody').first().waitFor();
  await field(operator, 'E-mail').fill('ann@example.com');
  await inDialog(operator, 'Add operator').click();
  await closed(operator);
  await row(operator, 'ann@example.com').waitFor();
  await picture(operator, 'operators');
  await button(operator, 'Remove Ann').click();
  await inDialog(operator, 'Remove').click();
  await closed(operator);
  await row(operator, 'ann@example.com').waitFor({ state: 'detached' });
  await button(operator, 'Deleted').click();
  await operator.getByText('None was deleted').waitFor();
});
