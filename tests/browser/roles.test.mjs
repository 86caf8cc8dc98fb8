// The table of all roles: moved through with keys, changed where it may be, saved role by role.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { enter, eventually, fits, picture, startBrowser, startServer } from './harness.mjs';

const PASSWORD = 'a calm owl reads at noon';

let server, browser, page;

const button = (name) => page.getByRole('button', { name, exact: true });
const box = (permission, role) => page.getByRole('checkbox', { name: new RegExp(`^${permission} for ${role}`) });
const draft = (role) => page.getByRole('region', { name: `Changes of ${role}` });
const here = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.dataset.at);
/** The focus comes with the next drawing of the table. */
const comes = (cell) => eventually(async () => assert.match(await here(), cell));
const press = async (...keys) => {
  for (const key of keys) await page.keyboard.press(key);
};
const ask = async (on, method, path, data) => {
  const answer = await on.request.fetch(`${server.url}/api/v1/orgs/default/${path}`, { method, data, headers: { origin: server.url } });
  assert.ok(answer.ok(), `${path}: ${await answer.text()}`);
  return answer.json();
};
const roles = async (on) => {
  await on.goto(`${server.url}/o/default/people?view=roles`);
  await on.getByRole('columnheader', { name: 'Owner' }).waitFor();
};

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  page = await browser.open();
  const once = readFileSync(join(server.data, 'first-login'), 'utf8').match(/one-time password: (.+)/)[1];
  await enter(page, server.url, 'owner@localhost', once, PASSWORD);
  await ask(page, 'POST', 'roles', { name: 'keeper', title: 'Keeper', permissions: ['alert.read'], includes: ['viewer'] });
  await ask(page, 'POST', 'roles', { name: 'night', title: 'Night keeper', permissions: ['call.read'], includes: ['keeper'] });
  await ask(page, 'POST', 'roles', { name: 'checker', title: 'Checker', includes: ['auditor'] });
});

after(async () => {
  await browser?.browser.close();
  await server?.stop();
});

test('roles that come with the deployment stand still, and what comes through another role says so', async () => {
  await roles(page);
  assert.ok(await page.getByRole('row').count() > 60);
  assert.equal(await box('budget.set', 'Owner').count(), 0);
  assert.equal(await button('Change Owner').count(), 0);
  const through = box('usage.read', 'Night keeper');
  assert.equal(await through.getAttribute('aria-label'), 'usage.read for Night keeper, through Keeper');
  assert.equal(await through.getAttribute('aria-disabled'), 'true');
  await through.click({ force: true });
  assert.equal(await page.getByRole('region', { name: 'Not saved yet' }).count(), 0);
  await fits(page, 'roles-table');
});

test('arrows move the one stop of the table, and space turns a cell into a change in words', async () => {
  await roles(page);
  await box('budget.set', 'Keeper').focus();
  await eventually(async () => assert.equal(await box('budget.set', 'Keeper').getAttribute('tabindex'), '0'));
  await press('ArrowRight');
  await comes(/^budget\.set for Night keeper/);
  await press('ArrowUp');
  await comes(/^budget\.read for Night keeper/);
  await press('Home');
  await comes(/^\d+-0$/);
  await press('End');
  await comes(/^budget\.read for Night keeper/);
  await press('Control+Home');
  await comes(/^0-0$/);
  assert.equal(await page.locator('[data-at][tabindex="0"]').count(), 1);
  await box('budget.set', 'Keeper').focus();
  await eventually(async () => assert.equal(await box('budget.set', 'Keeper').getAttribute('tabindex'), '0'));
  await press('Space');
  await draft('Keeper').getByText('Allows also budget.set.').waitFor();
  await draft('Keeper').getByText('The same for what includes it: Night keeper.').waitFor();
  assert.equal(await box('budget.set', 'Night keeper').getAttribute('aria-checked'), 'true');
  await box('alert.read', 'Keeper').click();
  await draft('Keeper').getByText('Allows also budget.set. Allows no more alert.read.').waitFor();
  await fits(page, 'roles-draft');
  await press('Space');
  await draft('Keeper').getByText('Allows also budget.set.', { exact: true }).waitFor();
  await button('Save Keeper').click();
  await page.getByText('Role Keeper is saved.').waitFor();
  await draft('Keeper').waitFor({ state: 'detached' });
  const { direct } = await ask(page, 'GET', 'roles/keeper');
  assert.deepEqual(direct.sort(), ['alert.read', 'budget.set']);
});

test('what the rules refuse is told at the role that it is about, and nothing is lost', async () => {
  await roles(page);
  await box('budget.set', 'Checker').click();
  await box('team.create', 'Keeper').click();
  await button('Save Checker').click();
  await draft('Checker').getByRole('alert').waitFor();
  assert.equal(await draft('Keeper').getByRole('alert').count(), 0);
  await picture(page, 'roles-refused');
  await draft('Checker').getByRole('button', { name: 'Discard' }).click();
  await draft('Checker').waitFor({ state: 'detached' });
  await draft('Keeper').getByText('Allows also team.create.').waitFor();
});

test('a role that somebody else changed meanwhile is shown anew before it is saved', async () => {
  await ask(page, 'PATCH', 'roles/keeper', { permissions: ['alert.read'] });
  await button('Save Keeper').click();
  await draft('Keeper').getByText('Somebody changed Keeper meanwhile.', { exact: false }).waitFor();
  await eventually(async () => assert.equal(await box('budget.set', 'Keeper').getAttribute('aria-checked'), 'false'));
  await button('Save Keeper').click();
  await page.getByText('Role Keeper is saved.').waitFor();
  const { direct } = await ask(page, 'GET', 'roles/keeper');
  assert.deepEqual(direct.sort(), ['alert.read', 'team.create']);
});

test('a filter leaves what it names, and the address keeps it', async () => {
  await roles(page);
  await page.getByLabel('Filter', { exact: true }).fill('budget');
  await eventually(async () => assert.equal(await page.getByRole('rowheader', { name: 'team.create' }).count(), 0));
  await press('Enter');
  await page.waitForURL(/filter=budget/);
  await page.reload();
  await page.getByRole('rowheader', { name: 'budget.set' }).waitFor();
  assert.equal(await page.getByRole('rowheader', { name: 'team.create' }).count(), 0);
  await page.getByLabel('Filter', { exact: true }).fill('no such thing');
  await page.getByText('No permission matches').waitFor();
});

test('nobody is offered to give what they do not hold', async () => {
  await ask(page, 'POST', 'roles', { name: 'caller', title: 'Caller', permissions: ['llm.invoke'] });
  const added = await ask(page, 'POST', 'members', { email: 'ann@example.com', name: 'Ann', role: 'admin' });
  const ann = await browser.open();
  await enter(ann, server.url, 'ann@example.com', added.one_time_password, `${PASSWORD} too`);
  await roles(ann);
  const of = (permission, role) => ann.getByRole('checkbox', { name: new RegExp(`^${permission} for ${role}`) });
  assert.equal(await of('llm.invoke', 'Keeper').getAttribute('aria-disabled'), 'true');
  assert.match(await of('llm.invoke', 'Keeper').getAttribute('title'), /Only who holds llm\.invoke/);
  await of('llm.invoke', 'Keeper').focus();
  await ann.getByText(/llm\.invoke: .*Only who holds llm\.invoke/).waitFor();
  const told = (await of('llm.invoke', 'Keeper').getAttribute('aria-describedby')).split(' ');
  const words = await Promise.all(told.map((id) => ann.locator(`#${id}`).textContent()));
  assert.match(words.join(' '), /Only who holds llm\.invoke/);
  assert.equal(await of('budget.set', 'Caller').getAttribute('aria-disabled'), 'true');
  assert.match(await of('budget.set', 'Caller').getAttribute('title'), /The role allows llm\.invoke/);
  assert.equal(await ann.getByRole('button', { name: 'Delete Caller' }).count(), 0);
  assert.equal(await of('team.create', 'Keeper').getAttribute('aria-disabled'), null);
  await ann.getByRole('button', { name: 'Define role' }).click();
  await ann.getByRole('dialog').getByLabel('team.create', { exact: true }).waitFor();
  assert.equal(await ann.getByRole('dialog').getByLabel('llm.invoke', { exact: true }).count(), 0);
  assert.equal(await ann.getByRole('dialog').getByLabel('Caller', { exact: true }).count(), 0);
});

test('a phone shows one role at a time, and saves it', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await roles(page);
  await page.getByLabel('Role', { exact: true }).selectOption('keeper');
  assert.equal(await box('budget.set', 'Keeper').isVisible(), true);
  assert.equal(await box('budget.set', 'Night keeper').isVisible(), false);
  await box('budget.set', 'Keeper').click();
  await press('ArrowRight');
  await box('budget.set', 'Night keeper').waitFor();
  await draft('Keeper').getByText('Allows also budget.set.').waitFor();
  await button('Save Keeper').click();
  await page.getByText('Role Keeper is saved.').waitFor();
  await page.setViewportSize({ width: 1440, height: 900 });
});

test('no script failed, nothing was blocked, and no other host was asked', () => {
  assert.deepEqual(browser.troubles, []);
});
