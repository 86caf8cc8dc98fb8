// Rules about calls: written with a condition that is checked at once, weighed, tried, switched and deleted.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { enter, eventually, fits, startBrowser, startServer } from './harness.mjs';

const PASSWORD = 'a calm owl reads at noon';

let server, browser, page;

const button = (name) => page.getByRole('button', { name, exact: true });
const dialog = () => page.getByRole('dialog');
const inDialog = (name) => dialog().getByRole('button', { name, exact: true });
const field = (name) => page.getByLabel(name, { exact: true });
const closed = () => dialog().waitFor({ state: 'detached' });
const rules = () => page.getByRole('table', { name: 'Call rules, the weightiest first' });
const row = (name) => rules().getByRole('row').filter({ hasText: name });
const ask = async (method, path, data) => {
  const answer = await page.request.fetch(`${server.url}/api/v1/orgs/default/${path}`, { method, data, headers: { origin: server.url } });
  assert.ok(answer.ok(), `${path}: ${await answer.text()}`);
  return answer.status() === 204 ? null : answer.json();
};
const call = () => page.evaluate(() => fetch('/v1/chat/completions', {
  method: 'POST', headers: { 'content-type': 'application/json', 'x-ralex-org': 'default' },
  body: JSON.stringify({ model: 'simulated', messages: [{ role: 'user', content: 'Rivers.' }] }),
}).then((answer) => answer.status));
const open = async () => {
  await page.goto(`${server.url}/o/default/call-rules`);
  await page.getByRole('heading', { level: 1, name: 'Call rules' }).waitFor();
  await page.getByRole('heading', { name: 'Try a call' }).waitFor();
};

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  page = await browser.open();
  const once = readFileSync(join(server.data, 'first-login'), 'utf8').match(/one-time password: (.+)/)[1];
  await enter(page, server.url, 'owner@localhost', once, PASSWORD);
  await ask('POST', 'teams', { slug: 'blue', name: 'Blue' });
  await ask('POST', 'groups', { slug: 'contractors', name: 'Contractors' });
  assert.equal(await call(), 200);
});

after(async () => {
  await browser?.browser.close();
  await server?.stop();
});

test('where there is no rule the page says what one does, and what holds without any', async () => {
  await open();
  await page.getByText('No rule about calls yet').waitFor();
  await page.getByText('A call that no rule is about goes on').waitFor();
  await fits(page, 'call-rules-empty');
});

test('a condition says where it is wrong before it is saved', async () => {
  await button('Create rule').first().click();
  await field('Name').fill('Long answers');
  await field('Only when').fill('call.max_outpt > 8000');
  await dialog().getByText(/^Line 1, column 6: .*call\.max_outpt/).waitFor();
  await dialog().getByText('The condition cannot be used yet.').waitFor();
  assert.equal(await inDialog('Create rule').getAttribute('aria-disabled'), 'true');
  await fits(page, 'call-rules-wrong');
  await field('Only when').fill('call.max_output >');
  await dialog().locator('.condition-fault').waitFor();
  await dialog().getByText('What it can ask about').click();
  await inDialog('Long answers').click();
  assert.equal(await field('Only when').inputValue(), 'call.max_output > 8000');
  await dialog().getByText('It can be used.').waitFor();
  await inDialog('Asks a person').click();
  assert.equal(await field('About').locator('option').count(), 2);
  await inDialog('Create rule').click();
  await closed();
  await row('Long answers').getByText('Asks').waitFor();
});

test('what weighs more stands first, with what it is about and whose', async () => {
  await button('Create rule').first().click();
  await field('Name').fill('Not for contractors');
  await field('Whose calls').selectOption({ label: 'Group Contractors' });
  await dialog().getByText('Choose from what there is').click();
  await field('model:simulated').check();
  assert.equal(await field('Models and providers').inputValue(), 'model:simulated');
  await dialog().getByText('Choose kinds').click();
  await field('Texts').check();
  await field('Holds for').selectOption('team:blue');
  await field('Message').fill('Ask your lead.');
  await fits(page, 'call-rules-form');
  await inDialog('Create rule').click();
  await closed();
  await row('Not for contractors').waitFor();
  const names = await rules().locator('tbody .strong').allInnerTexts();
  assert.deepEqual(names, ['Not for contractors', 'Long answers']);
  const told = await row('Not for contractors').innerText();
  for (const part of ['Denies', 'model:simulated', 'model.call.generate', 'contractors', 'Blue']) assert.ok(told.includes(part), `${part} in ${told}`);
  await button('Edit Not for contractors').click();
  await inDialog('Without contractors').click();
  await field('Description').fill('Until the audit is over');
  await inDialog('Save rule').click();
  await closed();
  await row('Until the audit is over').getByText('Everybody').waitFor();
});

test('a call is tried, typed in or as it was made, and the rule that decides is told', async () => {
  await field('Model').fill('simulated');
  await field('Arguments').fill('{"max_tokens": 9000}');
  await button('Try it').click();
  await page.getByText('It waits for a person.').waitFor();
  await page.getByText('Decided by Long answers.').waitFor();
  const asked = page.getByRole('table', { name: 'Rules that were asked' });
  await asked.getByRole('row', { name: /^Long answers.*Decides/ }).waitFor();
  await fits(page, 'call-rules-tried');
  await field('Where').selectOption('team:blue');
  await button('Try it').click();
  await page.getByText('Decided by Not for contractors.').waitFor();
  await page.getByText('Ask your lead.').last().waitFor();
  await field('Arguments').fill('9000');
  await button('Try it').click();
  await page.getByText('Enter a JSON object', { exact: false }).waitFor();
  const [{ id }] = (await ask('GET', 'calls')).items;
  await page.goto(`${server.url}/o/default/call-rules?call=${id}`);
  await eventually(async () => assert.equal(await field('Call').inputValue(), id));
  await button('Try it').click();
  await page.getByText('No rule is about it, so what holds without one decides.').waitFor();
});

test('a rule is switched off and on, and deleted; what is tried follows', async () => {
  await open();
  await field('Where').selectOption('team:blue');
  await field('Model').fill('simulated');
  await button('Try it').click();
  await page.getByText('It is refused.').waitFor();
  await row('Not for contractors').getByRole('button', { name: 'Switch off' }).click();
  await row('Not for contractors').getByText('Off', { exact: true }).waitFor();
  await page.getByText('It goes on.').waitFor();
  await row('Not for contractors').getByRole('button', { name: 'Switch on' }).click();
  await page.getByText('It is refused.').waitFor();
  await button('Delete Not for contractors').click();
  await inDialog('Delete rule').click();
  await closed();
  await row('Not for contractors').waitFor({ state: 'detached' });
});

test('what holds without a rule is changed after what follows was read', async () => {
  await button('Refuse it').click();
  await dialog().getByText('0 rules of this organisation allow some.', { exact: false }).waitFor();
  await fits(page, 'call-rules-default');
  await inDialog('Refuse it').click();
  await closed();
  await page.getByText('A call that no rule is about is refused', { exact: true }).waitFor();
  assert.equal(await call(), 403);
  await button('Let it go on').click();
  await inDialog('Let it go on').click();
  await closed();
  await page.getByText('A call that no rule is about goes on', { exact: true }).waitFor();
});

test('who only reads rules is offered to try them, and no change', async () => {
  const added = await ask('POST', 'members', { email: 'ann@example.com', name: 'Ann', role: 'viewer' });
  const ann = await browser.open();
  await enter(ann, server.url, 'ann@example.com', added.one_time_password, `${PASSWORD} too`);
  await ann.goto(`${server.url}/o/default/call-rules`);
  await ann.getByRole('cell', { name: 'Long answers' }).first().waitFor();
  for (const name of ['Create rule', 'Switch off', 'Edit Long answers', 'Delete Long answers', 'Refuse it']) {
    assert.equal(await ann.getByRole('button', { name, exact: true }).count(), 0, name);
  }
  await ann.getByRole('button', { name: 'Try it' }).waitFor();
});

test('no script failed, nothing was blocked, and no other host was asked', () => {
  assert.deepEqual(browser.troubles, []);
});
