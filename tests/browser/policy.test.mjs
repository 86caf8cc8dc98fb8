// All rules together: as lines out and in, as they were, and a change of them on trial.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { enter, eventually, fits, startBrowser, startServer } from './harness.mjs';

/** From when on, and until when: for good. */
const always = '0000-01-01T00:00:00.000000Z, 9999-12-31T23:59:59.999999Z';
const PASSWORD = 'a calm owl reads at noon';

let server, browser, page, kim, before_kim;

const button = (name) => page.getByRole('button', { name, exact: true });
const dialog = () => page.getByRole('dialog');
const inDialog = (name) => dialog().getByRole('button', { name, exact: true });
const part = (name) => page.getByRole('region', { name });
const closed = () => dialog().waitFor({ state: 'detached' });
const ask = async (method, path, data) => {
  const answer = await page.request.fetch(`${server.url}/api/v1/orgs/default/${path}`, { method, data, headers: { origin: server.url } });
  assert.ok(answer.ok(), `${path}: ${await answer.text()}`);
  const text = await answer.text();
  return text && JSON.parse(text);
};
const open = async (view = 'policy') => {
  await page.goto(`${server.url}/o/default/people?view=${view}`);
  await page.getByRole('heading', { level: 1, name: 'People' }).waitFor();
};
/** The server's clock in whole minutes, as a field of a day and a time has it. */
const minute = (at) => new Date(at).toISOString().slice(0, 16);

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  page = await browser.open();
  const once = readFileSync(join(server.data, 'first-login'), 'utf8').match(/one-time password: (.+)/)[1];
  await enter(page, server.url, 'owner@localhost', once, PASSWORD);
  await ask('POST', 'teams', { slug: 'blue', name: 'Blue' });
  await ask('POST', 'groups', { slug: 'night', name: 'Night shift' });
  before_kim = Date.now();
  kim = (await ask('POST', 'members', { email: 'kim@example.com', name: 'Kim', role: 'viewer' })).member.user;
});

after(async () => {
  await browser?.browser.close();
  await server?.stop();
});

test('the lines are shown, copied from and downloaded', async () => {
  await open();
  await button('Show the lines').click();
  const lines = await page.getByLabel('Lines of the policy').innerText();
  assert.match(lines, new RegExp(`p, user:${kim.id}, default, role:viewer, /o/default, allow`));
  assert.match(await page.getByRole('link', { name: 'Download' }).getAttribute('href'), /policies\/export$/);
  await fits(page, 'policy-lines');
  await button('Hide the lines').click();
});

test('a line that is refused is told with why, and nothing can be done', async () => {
  const file = part('From a file');
  await file.getByLabel('Lines', { exact: true }).fill([
    `p, grp:night, default, role:developer, /o/default/t/blue, allow, ${always}`,
    `p, grp:night, default, role:nothing, /o/default, allow, ${always}`,
  ].join('\n'));
  await file.getByRole('button', { name: 'Show what it would do' }).click();
  await file.getByText('1 line refused, so nothing of it can be done.', { exact: false }).waitFor();
  await file.getByRole('row', { name: /^2.*Refused/ }).waitFor();
  assert.equal(await file.getByRole('button', { name: 'Do it' }).count(), 0);
  await fits(page, 'policy-refused');
});

test('lines are shown before they are done, as a whole, and only while nobody has changed the rules', async () => {
  const file = part('From a file');
  const lines = `p, grp:night, default, role:developer, /o/default/t/blue, allow, ${always}`;
  await file.getByLabel('Lines', { exact: true }).fill(lines);
  assert.equal(await file.getByRole('table').count(), 0, 'what was told is of other lines');
  await file.getByRole('button', { name: 'Show what it would do' }).click();
  await file.getByRole('row', { name: /^1.*Added/ }).waitFor();
  await ask('POST', 'groups', { slug: 'day', name: 'Day shift' });
  await file.getByRole('button', { name: 'Do it' }).click();
  await inDialog('Do it').click();
  await dialog().getByRole('alert').waitFor();
  await inDialog('Cancel').click();
  await closed();
  await file.getByRole('button', { name: 'Show what it would do' }).click();
  await file.getByRole('button', { name: 'Do it' }).click();
  await fits(page, 'policy-sure');
  await inDialog('Do it').click();
  await closed();
  await page.getByText('Done: 1 line added, 0 lines taken away.').waitFor();
  const held = await ask('GET', 'bindings?subject=group:night');
  assert.deepEqual(held.items.map(({ role, scope }) => `${role} ${scope}`), ['developer team:blue']);
});

test('the lines as they are change nothing', async () => {
  const file = part('From a file');
  await file.getByRole('button', { name: 'Take the lines as they are now' }).click();
  await eventually(async () => assert.match(await file.getByLabel('Lines', { exact: true }).inputValue(), /role:viewer/));
  await file.getByRole('button', { name: 'Replace what there is' }).click();
  await file.getByRole('button', { name: 'Show what it would do' }).click();
  await file.getByText(/^Nothing would change\. Already so: \d+ lines\.$/).waitFor();
});

test('a change on trial tells who would gain and lose what, and changes nothing', async () => {
  const trial = part('Try a change');
  assert.equal(await trial.getByRole('button', { name: 'Show what it would do' }).getAttribute('aria-disabled'), 'true');
  await trial.getByLabel('Whom').selectOption({ label: 'Kim · kim@example.com' });
  await trial.getByLabel('Role', { exact: true }).selectOption('billing');
  await trial.getByRole('button', { name: 'Add to the change' }).click();
  await trial.getByText('Give billing to Kim · kim@example.com at org').waitFor();
  await trial.getByRole('button', { name: 'Take away', exact: true }).click();
  await trial.getByLabel('What').selectOption({ label: 'owner of owner@localhost at org' });
  await trial.getByRole('button', { name: 'Add to the change' }).click();
  await trial.getByRole('button', { name: 'Show what it would do' }).click();
  await trial.getByRole('row', { name: /^kim.*budget\.set/i }).waitFor();
  await trial.getByRole('row', { name: /^owner@localhost.*org\.update/ }).waitFor();
  await fits(page, 'policy-trial');
  await trial.getByRole('button', { name: /^Without: Take away owner/ }).click();
  await trial.getByRole('row', { name: /^kim/i }).waitFor({ state: 'detached' });
  await trial.getByRole('button', { name: 'Paste JSON' }).click();
  await trial.getByLabel('JSON').fill('{"bind": 3}');
  await trial.getByRole('button', { name: 'Take it' }).click();
  await trial.getByText('That is no change of roles', { exact: false }).waitFor();
  await trial.getByLabel('JSON').fill('{"roles": [{"name": "keeper", "permissions": ["call.read"]}]}');
  await trial.getByRole('button', { name: 'Take it' }).click();
  await trial.getByText('Role keeper would be call.read').waitFor();
  await trial.getByRole('button', { name: 'Show what it would do' }).click();
  await trial.getByText('Nobody would gain or lose anything.').waitFor();
  assert.equal((await ask('GET', `bindings?subject=user:${kim.id}`)).items.length, 1);
});

test('what somebody held, and who could, is asked of a moment that is past', async () => {
  await open('roles');
  await button('Who can?').click();
  await dialog().getByLabel('Permission').selectOption('usage.read');
  await dialog().getByRole('row', { name: /^kim/i }).waitFor();
  await dialog().getByText(/^Now when empty\. Known since /).waitFor();
  await dialog().getByLabel('As of (UTC)').fill(minute(before_kim - 86_400_000));
  // The organisation is of today, so that nothing is known of the day before.
  await dialog().getByRole('alert').waitFor();
  await fits(page, 'as-of-unknown');
  await dialog().getByLabel('As of (UTC)').fill('');
  await dialog().getByRole('row', { name: /^kim/i }).waitFor();
  await inDialog('Close').click();
  await closed();
  await open('');
  await button('Roles of Kim').click();
  await dialog().getByRole('switch', { name: 'As it was' }).click();
  await dialog().getByRole('switch', { name: 'Why may they, or not?' }).click();
  const asked = page.waitForRequest((request) => /bindings\?.*at=/.test(request.url()));
  await dialog().getByLabel('As of (UTC)').fill(minute(Date.now() + 60_000));
  await asked;
  await eventually(async () => assert.equal(await inDialog('Give role').count(), 0));
  await dialog().getByRole('switch', { name: 'As it was' }).click();
  await dialog().getByRole('row', { name: /^viewer/ }).waitFor();
  await inDialog('Give role').waitFor();
});

test('who may not see all rules is not offered them', async () => {
  const added = await ask('POST', 'members', { email: 'bo@example.com', name: 'Bo', role: 'team_admin', scope: 'team:blue' });
  const bo = await browser.open();
  await enter(bo, server.url, 'bo@example.com', added.one_time_password, `${PASSWORD} too`);
  await bo.goto(`${server.url}/o/default/people`);
  await bo.getByRole('button', { name: 'Roles', exact: true }).waitFor();
  assert.equal(await bo.getByRole('button', { name: 'Policy', exact: true }).count(), 0);
});

test('no script failed, nothing was blocked, and no other host was asked', () => {
  assert.deepEqual(browser.troubles, []);
});
