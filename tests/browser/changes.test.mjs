// Four eyes: one person asks by doing it, another one sees what would be different and confirms.

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
const changes = async (page) => {
  await page.goto(`${server.url}/o/default/approvals?view=changes`);
  await button(page, 'What takes two').waitFor();
};
const post = (page, path, data) =>
  page.request.post(`${server.url}/api/v1/orgs/default/${path}`, { data, headers: { origin: server.url } });
const keys = async () => {
  const answer = await owner.request.get(`${server.url}/api/v1/orgs/default/secrets`);
  return (await answer.json()).items.length;
};

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  owner = await browser.open();
  const once = readFileSync(join(server.data, 'first-login'), 'utf8').match(/one-time password: (.+)/)[1];
  await enter(owner, server.url, 'owner@localhost', once, PASSWORD);
  const added = await post(owner, 'members', { email: 'ann@example.com', name: 'Ann', role: 'owner' });
  ann = await browser.open();
  await enter(ann, server.url, 'ann@example.com', (await added.json()).one_time_password, `${PASSWORD} too`);
  await post(owner, 'providers', { slug: 'harbour', kind: 'openai', base_url: 'https://api.example.com/v1' });
  await post(owner, 'secrets', { name: 'pier', provider: 'harbour', value: 'sk-canary-1234' });
});

after(async () => {
  await browser?.browser.close();
  await server?.stop();
});

test('an owner says what takes two people', async () => {
  await changes(ann);
  await ann.getByText('Nothing waits for you').waitFor();
  await button(ann, 'What takes two').click();
  await field(ann, 'Destroy a provider key.').check();
  await field(ann, 'One person raises budgets up to').fill('-3');
  await inDialog(ann, 'Save').click();
  await dialog(ann).getByText('Enter an amount of dollars').waitFor();
  await field(ann, 'One person raises budgets up to').fill('');
  await picture(ann, 'changes-settings');
  await inDialog(ann, 'Save').click();
  await closed(ann);
  await ann.getByText('Holds for what is done from now on.').waitFor();
});

test('a button that takes two people says that it waits, and does nothing', async () => {
  await ann.goto(`${server.url}/o/default/providers`);
  await button(ann, 'Delete pier').click();
  await inDialog(ann, 'Delete key').click();
  await dialog(ann).getByText('Waits for a second person').waitFor();
  await picture(ann, 'changes-waits');
  assert.equal(await keys(), 1);
  await changes(ann);
  await button(ann, 'Mine').click();
  await row(ann, 'pier').getByText('Waiting').waitFor();
  await row(ann, 'pier').click();
  await inDialog(ann, 'Withdraw').waitFor();
  assert.equal(await inDialog(ann, 'Confirm and do it').count(), 0);
  await ann.keyboard.press('Escape');
  await closed(ann);
});

test('somebody else sees what would be different, and with their word it is done', async () => {
  await owner.goto(`${server.url}/o/default`);
  const link = owner.getByRole('navigation').getByRole('link', { name: /Approvals.*1/ });
  await link.waitFor();
  await changes(owner);
  await row(owner, 'pier').click();
  await dialog(owner).getByText('ann@example.com').waitFor();
  await field(owner, 'Your reason').fill('As planned');
  await picture(owner, 'changes-confirm');
  await inDialog(owner, 'Confirm and do it').click();
  await closed(owner);
  await owner.getByText('Confirmed, and done.').waitFor();
  await eventually(async () => (await keys()) === 0);
  await button(owner, 'All').click();
  await row(owner, 'pier').getByText('Done').waitFor();
  await picture(owner, 'changes-list');
});

test('to loosen it waits as well, and can be refused with a reason', async () => {
  await changes(ann);
  await button(ann, 'What takes two').click();
  await field(ann, 'Destroy a provider key.').uncheck();
  await inDialog(ann, 'Save').click();
  await dialog(ann).getByText('Waits for a second person').waitFor();
  await changes(owner);
  await row(owner, 'Loosen').click();
  await button(dialog(owner), 'Refuse').click();
  await dialog(owner).locator('button[type=submit]').click();
  await dialog(owner).getByText('Fill this in').or(dialog(owner).locator('[aria-invalid=true]')).first().waitFor();
  await field(owner, 'Your reason').fill('We want it so');
  await dialog(owner).locator('button[type=submit]').click();
  await closed(owner);
  await changes(ann);
  await button(ann, 'Mine').click();
  await row(ann, 'Loosen').getByText('Refused').waitFor();
});
