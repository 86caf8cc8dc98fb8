// Programs that log in by a person's browser: ralex itself, and another one that speaks the standard.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import * as oauth from 'openid-client';
import { enter, eventually, picture, startBrowser, startServer } from './harness.mjs';

const PASSWORD = 'a calm owl reads at noon';

let server, browser, page, home;

const button = (name) => page.getByRole('button', { name, exact: true });
const field = (name) => page.getByLabel(name, { exact: true });

before(async () => {
  home = mkdtempSync(join(tmpdir(), 'ralex-home-'));
  server = await startServer();
  browser = await startBrowser();
  page = await browser.open();
  const once = readFileSync(join(server.data, 'first-login'), 'utf8').match(/one-time password: (.+)/)[1];
  await enter(page, server.url, 'owner@localhost', once, PASSWORD);
});

after(async () => {
  await browser?.browser.close();
  await server?.stop();
  rmSync(home, { recursive: true, force: true });
});

/** Runs ralex as somebody at a terminal does; `opened` is the address that it asks to be opened. */
function ralex(...command) {
  // Without a PATH there is no program that could open a browser.
  const child = spawn(process.env.RALEX_BIN, command, { env: { HOME: home, USER: 'ann' } });
  let text = '';
  const opened = new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        text += `${line}\n`;
        if (line.startsWith('http')) resolve(line.trim());
      });
    }
  });
  const ended = new Promise((resolve) => child.on('close', (code) => resolve({ code, text })));
  return { opened, ended };
}

test('ralex login asks in the browser, and keeps what it is given', async () => {
  const login = ralex('login', '--url', server.url);
  await page.goto(await login.opened);
  await page.getByText('It would act as', { exact: false }).waitFor();
  await page.getByText(/^ann@/).waitFor();
  await picture(page, 'program');
  await button('Yes, log it in').click();
  await page.getByText('You said yes.', { exact: false }).waitFor();
  const done = await login.ended;
  assert.equal(done.code, 0, done.text);
  const who = await ralex('whoami', '--json').ended;
  assert.equal(JSON.parse(who.text).user.email, 'owner@localhost');
  await page.goto(`${server.url}/profile`);
  await page.getByRole('row', { name: /ann@/ }).waitFor();
  assert.equal((await ralex('logout').ended).code, 0);
  await page.reload();
  await page.getByRole('heading', { name: 'Profile' }).waitFor();
  assert.equal(await page.getByRole('row', { name: /ann@/ }).getByText('Active').count(), 0);
  assert.notEqual((await ralex('whoami').ended).code, 0);
});

test('who says no logs nothing in', async () => {
  const login = ralex('login', '--url', server.url);
  await page.goto(await login.opened);
  await button('No').click();
  await page.getByText('You said no.', { exact: false }).waitFor();
  const done = await login.ended;
  assert.notEqual(done.code, 0);
  assert.match(done.text, /You said no/);
});

/** What another program begins: openid-client, by what the server tells of itself. */
async function begun() {
  const options = { algorithm: 'oauth2', execute: [oauth.allowInsecureRequests] };
  const config = await oauth.discovery(new URL(server.url), 'ralex-cli', undefined, oauth.None(), options);
  return { config, device: await oauth.initiateDeviceAuthorization(config, { name: 'build box' }) };
}

test('a typed code counts only where an administrator lets it', async () => {
  const { config, device } = await begun();
  await page.goto(device.verification_uri_complete);
  assert.equal(await field('Code').inputValue(), device.user_code);
  await button('Continue').click();
  await page.getByText('build box').waitFor();
  await picture(page, 'device');
  await button('Yes, log it in').click();
  await page.getByText('None of your organisations', { exact: false }).waitFor();
  await page.goto(`${server.url}/o/default/people?view=sign-in`);
  await page.getByRole('switch', { name: /typed code/i }).click();
  await page.getByRole('switch', { name: /typed code/i, checked: true }).waitFor();
  await page.goto(device.verification_uri);
  await field('Code').fill(device.user_code.toLowerCase().replace('-', ' '));
  await button('Continue').click();
  await button('Yes, log it in').click();
  await page.getByText('The program is logged in.', { exact: false }).waitFor();
  const granted = await oauth.pollDeviceAuthorizationGrant(config, device);
  const headers = { authorization: `Bearer ${granted.access_token}` };
  const me = await fetch(`${server.url}/api/v1/me`, { headers });
  assert.equal((await me.json()).user.email, 'owner@localhost');
  await oauth.tokenRevocation(config, granted.access_token);
  await eventually(async () => assert.equal((await fetch(`${server.url}/api/v1/me`, { headers })).status, 401));
});

test('a program that is told no hears it', async () => {
  const { config, device } = await begun();
  await page.goto(device.verification_uri_complete);
  await button('Continue').click();
  await button('No').click();
  await page.getByText('The program has nothing.', { exact: false }).waitFor();
  await assert.rejects(oauth.pollDeviceAuthorizationGrant(config, device), { error: 'access_denied' });
  await page.goto(`${server.url}/device`);
  await field('Code').fill('BCDF-GHJK');
  await button('Continue').click();
  await page.getByText('No program waits with this code', { exact: false }).waitFor();
});

test('a token is narrowed, and gets another secret', async () => {
  const dialog = page.getByRole('dialog');
  const inDialog = (name) => dialog.getByRole('button', { name, exact: true });
  const stored = async () => {
    const secret = await dialog.getByText(/^rlx_svc_/).innerText();
    await inDialog('I stored it').click();
    await dialog.waitFor({ state: 'detached' });
    return secret.trim();
  };
  const works = async (secret) => {
    const answer = await fetch(`${server.url}/v1/models`, { headers: { authorization: `Bearer ${secret}` } });
    return answer.status;
  };
  await page.goto(`${server.url}/o/default/tokens`);
  await button('Create token').click();
  await field('Name').fill('ci');
  await field('May do').selectOption('Only these …');
  await dialog.getByRole('checkbox', { name: 'llm.invoke', exact: true }).check();
  await field('Works from').fill('127.0.0.0/8 ::1');
  await picture(page, 'token-form');
  await inDialog('Create token').click();
  const first = await stored();
  const row = page.getByRole('row', { name: /ci/ });
  await row.getByText('Narrowed').waitFor();
  await button('Rotate ci').click();
  await inDialog('Rotate').click();
  const second = await stored();
  await row.getByText('Two secrets').waitFor();
  await picture(page, 'token-rotated');
  assert.deepEqual([await works(first), await works(second)], [200, 200]);
  await page.reload();
  await button('Rotate ci').click();
  await dialog.getByText('something still needs it', { exact: false }).waitFor();
  await inDialog('End former secret').click();
  await dialog.waitFor({ state: 'detached' });
  await eventually(async () => assert.deepEqual([await works(first), await works(second)], [401, 200]));
});

test('no script failed and nothing was blocked', () => {
  assert.deepEqual(browser.troubles, []);
});
