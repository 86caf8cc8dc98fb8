// What governs calls, set by a person: limits, what-if, bills, receivers of the log, and what two people agree about.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { enter, eventually, fits as wholly, picture, startBrowser, startServer } from './harness.mjs';

const PASSWORD = 'a calm owl reads at noon';
const DAY = 86_400_000;

let server, browser, page;

const button = (name) => page.getByRole('button', { name, exact: true });
const dialog = () => page.getByRole('dialog');
const inDialog = (name) => dialog().getByRole('button', { name, exact: true });
const field = (name) => page.getByLabel(name, { exact: true });
const closed = () => dialog().waitFor({ state: 'detached' });
const go = (place) => page.goto(`${server.url}/o/default/${place}`);
const ask = (method, path, body) => page.evaluate(([method, path, body]) => fetch(`/api/v1/orgs/default/${path}`, {
  method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body),
}).then(async (answer) => ({ status: answer.status, body: await answer.text() })), [method, path, body]);

const fits = (name) => wholly(page, name);

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  page = await browser.open();
  const once = readFileSync(join(server.data, 'first-login'), 'utf8').match(/one-time password: (.+)/)[1];
  await enter(page, server.url, 'owner@localhost', once, PASSWORD);
  const call = { model: 'simulated', messages: [{ role: 'user', content: 'Say something about rivers.' }] };
  for (let sent = 0; sent < 3; sent += 1) {
    const status = await page.evaluate((body) => fetch('/v1/chat/completions', {
      method: 'POST', headers: { 'content-type': 'application/json', 'x-ralex-org': 'default', 'x-ralex-tags': 'nightly' }, body: JSON.stringify(body),
    }).then((answer) => answer.status), call);
    assert.equal(status, 200);
  }
});

after(async () => {
  await browser?.browser.close();
  await server?.stop();
});

test('a rate limit is made, changed and deleted, and its card says so', async () => {
  await go('budgets');
  await page.getByText('No rate limit yet').waitFor();
  await button('Create rate limit').click();
  await inDialog('Create rate limit').click();
  await page.getByText('Enter a whole number of 1 or more.').waitFor();
  await field('Limits').selectOption('tokens');
  await field('Within any').selectOption('3600');
  await field('Amount').fill('1,500,000');
  await fits('rate-limit');
  await inDialog('Create rate limit').click();
  await closed();
  await page.getByText('The limit of', { exact: false }).first().waitFor();
  await page.getByText('tokens in an hour', { exact: false }).first().waitFor();
  await page.getByRole('button', { name: /^Edit the limit of/ }).click();
  assert.equal(await field('tokens in an hour').inputValue(), '1500000');
  await field('tokens in an hour').fill('2,000,000');
  await inDialog('Save rate limit').click();
  await closed();
  await page.locator('.rate-limits').getByText('2,000,000', { exact: true }).waitFor();
  await page.getByRole('button', { name: /^Delete the limit of/ }).click();
  await page.getByText('Calls may take more than 2,000,000 tokens in an hour.').waitFor();
  await inDialog('Delete rate limit').click();
  await closed();
  await page.getByText('No rate limit yet').waitFor();
});

test('a budget and a rate limit are tried on past calls, and nothing is set by it', async () => {
  await go('usage');
  await button('What if').click();
  await page.waitForURL(/view=what-if/);
  await button('Try on these calls').click();
  await page.getByText('Fill this in.').waitFor();
  await field('Limit').fill('0.000000001');
  await button('Try on these calls').click();
  const stat = (label) => page.locator('.stat', { hasText: label }).locator('.stat-value');
  await eventually(async () => assert.equal(await stat('Calls concerned').textContent(), '3'));
  assert.notEqual(await stat('Refused').textContent(), '0');
  await page.getByRole('table', { name: 'Periods of the budget' }).getByRole('row').nth(1).waitFor();
  await page.getByRole('table', { name: 'Whom it would concern most' }).getByText('simulated').waitFor();
  await fits('what-if');
  await button('A rate limit').click();
  await page.waitForURL(/try=limit/);
  assert.equal(await stat('Refused').count(), 0);
  await field('Amount').fill('1000');
  await button('Try on these calls').click();
  await page.getByText('Every call would have passed.').waitFor();
  await page.reload();
  await field('Amount').fill('1');
  await button('Try on these calls').click();
  await eventually(async () => assert.equal(await stat('Refused').textContent(), '2'));
  const set = await ask('GET', 'rate-limits');
  assert.deepEqual(JSON.parse(set.body).items, []);
});

test('other prices are tried on past calls, and at least one has to be named', async () => {
  await go('usage?view=what-if&try=price');
  await field('Model').selectOption('simulated');
  await button('Try on these calls').click();
  await page.getByRole('alert').waitFor();
  await field('Output').fill('1000000');
  await button('Try on these calls').click();
  await page.getByText('more than they did').waitFor();
  assert.equal(await page.locator('.stat', { hasText: 'Refused' }).count(), 0);
  await fits('what-if-price');
});

test('a bill is compared day by day, and budgets are adjusted only after a person was asked', async () => {
  await go('budgets');
  await button('Compare with bills').click();
  await page.waitForURL(/view=bills/);
  await page.getByText('Choose a file.').waitFor();
  const yesterday = new Date(Date.now() - DAY).toISOString().slice(0, 10);
  const csv = `date,model,cost\n${yesterday},simulated,1.50\n`;
  const choose = (text) => field('Export').setInputFiles({ name: 'bill.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });
  await choose('this is no bill');
  await button('Compare').click();
  await page.getByRole('alert').waitFor();
  await choose(csv);
  await button('Compare').click();
  // No budget was there yesterday, so none is missing anything.
  await page.getByText('No budget is missing anything by this export.').waitFor();
  const row = page.getByRole('table', { name: 'Days of the export' }).getByRole('row').nth(1);
  assert.match(await row.textContent(), /1\.50/);
  assert.equal(await button('Adjust budgets').count(), 0);
  // A budget of a day that is over is older than this server.
  const made = await ask('POST', 'budgets', { scope: 'org', period: 'month', limit: '100', hard: false });
  const { id: budget } = JSON.parse(made.body);
  const sent = [];
  await page.route('**/reconciliations', async (route) => {
    const body = route.request().postDataJSON();
    sent.push(body.apply);
    const answer = await (await route.fetch({ postData: { ...body, apply: false } })).json();
    answer.applied = body.apply;
    answer.days[0].budgets = [{ budget, adjusted: body.apply ? '1.5' : '0', adds: '1.5', lease_lost: '0.25' }];
    await route.fulfill({ status: 200, json: answer });
  });
  await page.reload();
  await choose(csv);
  await button('Compare').click();
  await page.getByText(/^1 entry by the export of simulated: adds \$1\.50 to what counts as spent\.$/).waitFor();
  await page.getByText('for servers that went silent', { exact: false }).waitFor();
  await fits('bills');
  await button('Adjust budgets').click();
  await page.getByRole('heading', { name: 'Adjust the budgets?' }).waitFor();
  assert.deepEqual(sent, [false]);
  await picture(page, 'bills-sure');
  await inDialog('Adjust budgets').click();
  await closed();
  await page.getByText('Applied. What it added counts on the budgets', { exact: false }).waitFor();
  assert.deepEqual(sent, [false, true]);
  await page.unroute('**/reconciliations');
  await ask('DELETE', `budgets/${budget}`);
});

test('a call tells its tags, and each leads to what was used under it', async () => {
  await go('calls');
  await page.locator('.row-open').first().click();
  await dialog().getByRole('link', { name: 'nightly', exact: true }).click();
  await page.waitForURL(/usage\?tag=nightly/);
  await button('Tag: nightly').waitFor();
});

test('a schedule is made, and its day, hour and whether it asks are changed later', async () => {
  await go('reports?tab=schedules');
  await button('Add a schedule').click();
  await field('Name').fill('Quarterly review');
  await inDialog('Add').click();
  await closed();
  const row = page.getByRole('row', { name: /Quarterly review/ });
  assert.match(await row.textContent(), /each quarter, day 2, 06:00 UTC/);
  await button('Edit Quarterly review').click();
  await field('Day').fill('40');
  await inDialog('Save schedule').click();
  await page.getByText('Enter a whole number from 1 to 28.').waitFor();
  await field('Day').fill('3');
  await field('Send to').fill('nobody');
  await inDialog('Save schedule').click();
  await page.getByText('Enter e-mail addresses with commas between, or nothing.').waitFor();
  await field('Send to').fill('');
  await field('On').uncheck();
  await fits('schedule');
  await inDialog('Save schedule').click();
  await closed();
  await eventually(async () => assert.match(await row.textContent(), /day 3, 06:00 UTC.*Off/));
  await button('Delete Quarterly review').click();
  await inDialog('Delete').click();
  await closed();
  await page.getByText('No schedule yet').waitFor();
});

test('a receiver of the log is added with a secret that is shown once, and removed', async () => {
  await go('audit');
  await page.getByText('Sent to', { exact: true }).click();
  await page.getByText('Nowhere yet.', { exact: false }).waitFor();
  await button('Add a receiver').click();
  await inDialog('Add').click();
  await eventually(async () => assert.equal(await dialog().getByText('Fill this in.').count(), 2));
  await field('Kind').selectOption('s3');
  await field('Secret access key').waitFor();
  await field('Kind').selectOption('syslog');
  await field('Authority').waitFor();
  await fits('receiver');
  await field('Kind').selectOption('webhook');
  await field('Name').fill('archive');
  await field('Address').fill('https://log.example.com/in');
  await inDialog('Add').click();
  await page.getByText('It is not shown again.', { exact: false }).waitFor();
  const secret = (await dialog().locator('pre').textContent()).match(/whsec_\S+/)[0];
  await picture(page, 'receiver-secret');
  await inDialog('Done').click();
  await closed();
  await page.getByText('archive', { exact: true }).waitFor();
  assert.ok(!(await page.content()).includes(secret), 'the secret is still in the page');
  await button('Remove').click();
  await inDialog('Remove').click();
  await closed();
  await page.getByText('Nowhere yet.', { exact: false }).waitFor();
});

test('a budget per run shows its runs, and each call the run that it is part of', async () => {
  await go('budgets');
  await button('Create budget').first().click();
  await field('Period').selectOption('run');
  await field('Limit').fill('1');
  await inDialog('Create budget').click();
  await closed();
  await page.getByText('each run', { exact: false }).waitFor();
  await page.getByRole('button', { name: /^Runs of/ }).click();
  await dialog().getByText('No run yet').waitFor();
  await page.keyboard.press('Escape');
  await closed();
  const body = JSON.stringify({ model: 'simulated', messages: [{ role: 'user', content: 'Say something about hills.' }] });
  const status = await page.evaluate((body) => fetch('/v1/chat/completions', {
    method: 'POST', headers: { 'content-type': 'application/json', 'x-ralex-org': 'default', 'x-ralex-run': 'nightly-1' }, body,
  }).then((answer) => answer.status), body);
  assert.equal(status, 200);
  await page.reload();
  await page.getByText('the dearest under way is nightly-1', { exact: false }).waitFor();
  assert.equal(await page.getByRole('button', { name: /^Forecast for/ }).count(), 0, 'a run has no end to foretell');
  await page.getByRole('button', { name: /^Runs of/ }).click();
  await dialog().getByRole('row', { name: /nightly-1/ }).waitFor();
  await fits('runs');
  await page.keyboard.press('Escape');
  await go('calls');
  await field('Run').fill('nightly-1');
  await field('Run').press('Enter');
  await page.waitForURL(/run=nightly-1/);
  await eventually(async () => assert.equal(await page.getByRole('table').locator('tbody tr').count(), 1));
  await page.getByRole('table').locator('tbody tr').first().click();
  await page.getByRole('link', { name: 'nightly-1', exact: true }).waitFor();
});

test('a service account gets a token and a budget, and works no more while it is disabled', async () => {
  await ask('POST', 'teams', { slug: 'night', name: 'Night' });
  await go('tokens');
  await button('Service accounts').click();
  await page.getByText('No service account yet').waitFor();
  await button('Create service account').click();
  await field('Name').fill('Nightly report');
  await field('Team').selectOption('night');
  await fits('service-account');
  await inDialog('Create service account').click();
  await closed();
  const row = page.getByRole('row', { name: /nightly-report/ });
  await row.waitFor();
  await button('Create a token for Nightly report').click();
  await field('Name').fill('from November on');
  await inDialog('Create token').click();
  const secret = (await dialog().locator('pre').first().textContent()).match(/rlx_svc_\w+/)[0];
  await inDialog('I stored it').click();
  await closed();
  await eventually(async () => assert.match(await row.textContent(), /nightly-reportnight1/));
  const call = () => page.evaluate((token) => fetch('/v1/models', {
    credentials: 'omit', headers: { authorization: `Bearer ${token}` },
  }).then((answer) => answer.status), secret);
  assert.equal(await call(), 200);
  await button('Disable Nightly report').click();
  await dialog().getByText('1 token stops working within a second', { exact: false }).waitFor();
  await inDialog('Disable').click();
  await closed();
  await row.getByText('Disabled').waitFor();
  await eventually(async () => assert.equal(await call(), 401));
  await fits('service-accounts');
  await button('Enable Nightly report').click();
  await row.getByText('Works').waitFor();
  assert.equal(await call(), 200);
  await button('Rename Nightly report').click();
  await field('Name').fill('Morning report');
  await inDialog('Rename').click();
  await closed();
  await row.getByText('Morning report').waitFor();
  await button('Tokens').click();
  await page.getByText('nightly-report, of night', { exact: true }).waitFor();
  await go('budgets');
  await button('Create budget').click();
  await field('For').selectOption('service_account:nightly-report');
  await field('Limit').fill('5');
  await inDialog('Create budget').click();
  await closed();
  await page.getByText('service_account:nightly-report', { exact: true }).waitFor();
});

test('a role is given for a time, denied and taken away', async () => {
  await ask('POST', 'members', { email: 'kim@example.com', name: 'Kim', role: 'viewer' });
  await go('people');
  await button('Roles of Kim').click();
  const row = (name) => dialog().getByRole('row', { name });
  await row(/^viewer/).waitFor();
  await field('Role').selectOption('billing');
  await field('Where').selectOption('team:night');
  await field('Until (UTC)').fill(new Date(Date.now() + DAY).toISOString().slice(0, 16));
  await inDialog('Give role').click();
  await row(/^billing\s*team:night/).waitFor();
  await field('Effect').selectOption('deny');
  await field('Where').selectOption('org');
  await field('Until (UTC)').fill('');
  await inDialog('Deny role').click();
  await row(/^billing\s*Denied\s*org/).waitFor();
  await fits('roles');
  await field('Role').selectOption('auditor');
  await field('Effect').selectOption('allow');
  await inDialog('Give role').click();
  await dialog().getByText('exclude each other', { exact: false }).waitFor();
  await row(/^billing\s*Denied/).getByRole('button', { name: 'Take billing away' }).click();
  await dialog().getByText('is not denied at org any more', { exact: false }).waitFor();
  await inDialog('Take it away').click();
  await dialog().getByRole('heading', { name: /^Roles of/ }).waitFor();
  await row(/^billing\s*Denied/).waitFor({ state: 'detached' });
  await inDialog('Cancel').click();
  await closed();
});

test('why somebody may or may not is told in words, and who can is listed', async () => {
  await go('people');
  await button('Roles of Kim').click();
  await dialog().getByRole('switch', { name: 'Why may they, or not?' }).click();
  await field('Permission').selectOption('usage.read');
  await dialog().getByText('It is given by the role viewer in the whole organisation.').waitFor();
  await field('Permission').selectOption('budget.set');
  await dialog().getByText('Nothing that is held gives it there.').waitFor();
  await dialog().getByText(/^Roles that give it: .*owner/).waitFor();
  await field('At').selectOption('team:night');
  await dialog().getByText('It is given by the role billing at team:night.').waitFor();
  await fits('why');
  await field('At').selectOption('org');
  await field('Role').selectOption('billing');
  await inDialog('Give role').click();
  await dialog().getByText('It is given by the role billing in the whole organisation.').waitFor();
  await inDialog('Cancel').click();
  await closed();
  await button('Roles').click();
  await button('Who can?').click();
  const kim = dialog().getByRole('row', { name: /^kim/i });
  await field('Permission').selectOption('budget.set');
  await kim.getByText('billing').waitFor();
  await fits('who-can');
  await field('Permission').selectOption('role.define');
  await kim.waitFor({ state: 'detached' });
  await dialog().getByRole('row', { name: /owner$/ }).waitFor();
  await inDialog('Close').click();
  await closed();
});

test('a role is defined, read in the table of all, and held by a group', async () => {
  await go('people');
  await button('Roles').click();
  const box = (permission) => page.getByRole('checkbox', { name: `${permission} for Keeper` });
  await page.getByRole('columnheader', { name: 'Owner' }).waitFor();
  await button('Define role').click();
  await field('Name').fill('keeper');
  await field('Title').fill('Keeper');
  await field('audit.read').check();
  await field('Viewer').check();
  await fits('role-form');
  await inDialog('Save role').click();
  await closed();
  await page.getByRole('columnheader', { name: 'Keeper' }).waitFor();
  const held = (permission) => box(permission).getAttribute('aria-checked');
  assert.deepEqual([await held('audit.read'), await held('budget.set')], ['true', 'false']);
  await box('budget.set').click();
  await button('Save Keeper').click();
  await page.getByText('Role Keeper is saved.').last().waitFor();
  assert.equal(await held('budget.set'), 'true');
  await button('Change Keeper').click();
  await field('Title').fill('Key keeper');
  await inDialog('Save role').click();
  await closed();
  await page.getByRole('columnheader', { name: 'Key keeper' }).waitFor();

  await button('Groups').click();
  await button('Create group').click();
  await field('Name').fill('Night shift');
  await inDialog('Create group').click();
  await closed();
  await button('People of Night shift').click();
  await dialog().getByText('Nobody is in it.').waitFor();
  await field('Person').selectOption({ label: 'Kim · kim@example.com' });
  await inDialog('Let in').click();
  await dialog().getByRole('row', { name: /^Kim/ }).waitFor();
  await fits('group-people');
  await inDialog('Cancel').click();
  await closed();
  await button('Roles of Night shift').click();
  await field('Role').selectOption('keeper');
  await inDialog('Give role').click();
  await dialog().getByRole('row', { name: /^keeper/ }).waitFor();
  await inDialog('Cancel').click();
  await closed();
  await page.getByRole('row', { name: /^Night shift.*1\s*1/ }).waitFor();
  await fits('groups');
  await page.getByRole('group', { name: 'Part' }).getByRole('button', { name: 'People', exact: true }).click();
  await page.getByRole('row', { name: /^Kim/ }).getByText('keeper · by night-shift').waitFor();
  await page.getByRole('group', { name: 'Part' }).getByRole('button', { name: 'Roles', exact: true }).click();
  await button('Delete Key keeper').click();
  await inDialog('Delete').click();
  await dialog().getByText('is given or denied once', { exact: false }).waitFor();
  await inDialog('Cancel').click();
  await closed();
});

test('the erasure of a person is asked for by somebody who says why, and of nobody who is still here', async () => {
  await go('audit');
  await page.getByText('Kept for', { exact: true }).click();
  await page.getByText('No archive is configured: what is pruned is gone.').waitFor();
  await button('Erase a person').click();
  await inDialog('Ask').click();
  await eventually(async () => assert.equal(await dialog().getByText('Fill this in.').count(), 2));
  await field('Person').fill('owner@localhost');
  await field('Reason').fill('They asked for it');
  await inDialog('Ask').click();
  await dialog().getByRole('alert').or(dialog().locator('.field-error, [aria-invalid=true]')).first().waitFor();
  await fits('erase');
  await inDialog('Cancel').click();
  await closed();
});

test('what one person asks of the log, another one approves', async () => {
  await go('audit');
  await page.getByText('Kept for', { exact: true }).click();
  await button('Hold').click();
  await inDialog('Ask').click();
  await page.getByText('Fill this in.').waitFor();
  await fits('hold');
  await inDialog('Cancel').click();
  await closed();
  // Whoever made an account a moment ago is not approved by it, so the new one asks.
  const added = await ask('POST', 'members', { email: 'ann@example.com', name: 'Ann', role: 'security' });
  const other = await browser.open();
  await enter(other, `${server.url}/o/default/audit`, 'ann@example.com', JSON.parse(added.body).one_time_password, PASSWORD);
  await other.getByText('Kept for', { exact: true }).click();
  await other.getByRole('button', { name: 'Hold', exact: true }).click();
  await other.getByRole('dialog').getByLabel('Reason', { exact: true }).fill('A court asked for it');
  await other.getByRole('dialog').getByRole('button', { name: 'Ask', exact: true }).click();
  await other.getByText('another person decides until', { exact: false }).waitFor();
  assert.equal(await other.getByRole('button', { name: 'Approve', exact: true }).count(), 0, 'nobody approves what they asked for');
  await page.reload();
  await page.getByText('Kept for', { exact: true }).click();
  await page.getByText('A court asked for it', { exact: false }).waitFor();
  await picture(page, 'hold-asked');
  await button('Approve').click();
  await field('Reason').fill('Counsel agrees');
  await inDialog('Approve').click();
  await page.getByText('Nothing is pruned.', { exact: false }).waitFor();
  await other.reload();
  await other.getByText('Kept for', { exact: true }).click();
  await other.getByText('decided by owner@localhost', { exact: false }).waitFor();
  await picture(other, 'held');
  await other.context().close();
});

test('no script failed, nothing was blocked, and no other host was asked', () => {
  assert.deepEqual(browser.troubles, []);
});
