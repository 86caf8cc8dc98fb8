// Somebody is invited, with and without mail, chooses a password, and asks for another one later.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { enter, eventually, picture, startBrowser, startServer, welcome } from './harness.mjs';

const PASSWORD = 'a calm owl reads at noon';

let server, browser, owner, ann, post, link;

const button = (page, name) => page.getByRole('button', { name, exact: true });
const dialog = (page) => page.getByRole('dialog');
const inDialog = (page, name) => dialog(page).getByRole('button', { name, exact: true });
const field = (page, name) => page.getByLabel(name, { exact: true });
const closed = (page) => dialog(page).waitFor({ state: 'detached' });
const row = (page, text) => page.getByRole('row').filter({ hasText: text });

/** A mail server that keeps what it is sent, or refuses everybody. */
async function startPost() {
  const post = { letters: [], refuses: false };
  const office = createServer((socket) => {
    let text = '', inside = false;
    socket.on('error', () => {});
    socket.write('220 post\r\n');
    socket.on('data', (data) => {
      text += data;
      for (let end; (end = text.indexOf(inside ? '\r\n.\r\n' : '\r\n')) >= 0; ) {
        const said = text.slice(0, end);
        text = text.slice(end + (inside ? 5 : 2));
        if (inside) {
          // Lines are broken by quoted-printable.
          post.letters.push(said.replace(/=\r\n/g, '').replace(/=3D/g, '='));
          inside = false;
          socket.write('250 kept\r\n');
        } else if (/^DATA/i.test(said)) {
          inside = true;
          socket.write('354 go on\r\n');
        } else if (/^RCPT/i.test(said) && post.refuses) socket.write('550 nobody here\r\n');
        else if (/^QUIT/i.test(said)) socket.end('221 bye\r\n');
        else socket.write('250 ok\r\n');
      }
    });
  });
  await new Promise((resolve) => office.listen(0, '127.0.0.1', resolve));
  return Object.assign(post, { url: `smtp://127.0.0.1:${office.address().port}`, stop: () => office.close() });
}

/** A port that is free now, for a server that has to know its public address. */
async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

const linkOf = (letter) => letter.match(/http:\S+\/welcome#\S+/)[0];

before(async () => {
  post = await startPost();
  const listen = `127.0.0.1:${await freePort()}`;
  server = await startServer({
    RALEX_LISTEN: listen, RALEX_PUBLIC_URL: `http://${listen}`, RALEX_SMTP_URL: post.url,
    RALEX_SMTP_TLS: 'off', RALEX_MAIL_FROM: 'Ralex <ralex@example.com>',
  });
  browser = await startBrowser();
  owner = await browser.open();
  const once = readFileSync(join(server.data, 'first-login'), 'utf8').match(/one-time password: (.+)/)[1];
  await enter(owner, server.url, 'owner@localhost', once, PASSWORD);
});

after(async () => {
  await browser?.browser.close();
  await server?.stop();
  post?.stop();
});

async function add(email, name) {
  await button(owner, 'Add person').click();
  await dialog(owner).getByLabel('E-mail', { exact: true }).fill(email);
  await dialog(owner).getByLabel('Name', { exact: true }).fill(name);
  await inDialog(owner, 'Add person').click();
}

test('whom no mail reaches is given the link by hand, and a newer one ends it', async () => {
  post.refuses = true;
  await owner.goto(`${server.url}/o/default/people`);
  await add('ann@example.com', 'Ann');
  await dialog(owner).getByText(/answered 550/).waitFor();
  link = (await dialog(owner).locator('pre').first().textContent()).trim();
  await picture(owner, 'invitation-link');
  await inDialog(owner, 'I stored it').click();
  await closed(owner);
  await row(owner, 'ann@example.com').getByText('Invited').waitFor();
  await picture(owner, 'people-invited');
  post.refuses = false;
  await button(owner, 'Invite Ann again').click();
  await owner.getByText('An invitation is on its way.').waitFor();
  ann = await browser.open();
  await ann.goto(link);
  await ann.getByText('This link opens nothing').waitFor();
  await picture(ann, 'link-ended');
  await ann.goto(`${server.url}/welcome`);
  await ann.reload();
  await ann.getByText('This address is not complete').waitFor();
});

test('a link by mail opens the choice of a password, and then the sign-in', async () => {
  link = linkOf(post.letters.at(-1));
  // A page that is open does not look at its address again.
  await ann.goto('about:blank');
  await ann.goto(link);
  await ann.getByText('ann@example.com').waitFor();
  await picture(ann, 'welcome');
  await field(ann, 'New password').fill('short');
  await button(ann, 'Set password').click();
  await ann.getByText('at least').first().waitFor();
  await ann.goto('about:blank');
  await welcome(ann, link, 'ann@example.com', PASSWORD);
  await owner.reload();
  await row(owner, 'ann@example.com').waitFor();
  assert.equal(await row(owner, 'ann@example.com').getByText('Invited').count(), 0);
  assert.equal(await button(owner, 'Invite Ann again').count(), 0);
});

test('a person says what they are called, and what their sessions are', async () => {
  await ann.goto(`${server.url}/profile`);
  await button(ann, 'Change your name').click();
  await dialog(ann).getByLabel('Name', { exact: true }).fill('Ann Bell');
  await inDialog(ann, 'Change name').click();
  await closed(ann);
  await button(ann, 'Your account, Ann Bell').waitFor();
  await ann.getByRole('button', { name: /^Name the session/ }).first().click();
  await dialog(ann).getByLabel('Name', { exact: true }).fill('Laptop at home');
  await picture(ann, 'session-name');
  await inDialog(ann, 'Save').click();
  await closed(ann);
  await button(ann, 'Name the session Laptop at home').waitFor();
  await picture(ann, 'profile');
});

test('a forgotten password is replaced by a link, and whoever was in is out', async () => {
  const page = await browser.open();
  await page.goto(server.url);
  await button(page, 'Forgot your password?').click();
  await picture(page, 'password-forgotten');
  await field(page, 'E-mail').fill('ann@example.com');
  const before = post.letters.length;
  await button(page, 'Send a link').click();
  await page.getByText('Look into your mailbox').waitFor();
  await eventually(() => assert.equal(post.letters.length, before + 1));
  await welcome(page, linkOf(post.letters.at(-1)), 'ann@example.com', `${PASSWORD} too`);
  await ann.reload();
  await field(ann, 'Password').waitFor();
  assert.deepEqual(browser.troubles, []);
});
