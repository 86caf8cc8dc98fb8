// The parts of the console: fetched when somebody goes there, once, and said plainly where one cannot be.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import AxeBuilder from '@axe-core/playwright';
import { enter, eventually, picture, startBrowser, startServer } from './harness.mjs';

let server, browser, page, fetched;

const heading = (name) => page.getByRole('heading', { level: 1, name, exact: true });
const menu = (name) => page.getByRole('navigation').getByRole('link', { name, exact: true });
const button = (name) => page.getByRole('button', { name, exact: true });
const times = (part) => fetched.filter((name) => name.startsWith(`part-${part}-`)).length;

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  page = await browser.open();
  fetched = [];
  page.on('request', (request) => fetched.push(new URL(request.url()).pathname.slice(1)));
  const once = readFileSync(join(server.data, 'first-login'), 'utf8').match(/one-time password: (.+)/)[1];
  await enter(page, server.url, 'owner@localhost', once, 'a calm owl reads at noon');
  await heading('Overview').waitFor();
});

after(async () => {
  await browser?.browser.close();
  await server?.stop();
});

test('the first page needs no part', () => {
  assert.deepEqual(fetched.filter((name) => name.startsWith('part-')), []);
});

test('a page of another section fetches its part, which the next page of it has already', async () => {
  await menu('Budgets').click();
  await heading('Budgets').waitFor();
  await menu('Usage').click();
  await heading('Usage').waitFor();
  assert.deepEqual(['spend', 'shared'].map(times), [1, 1]);
  await menu('Tokens').click();
  await heading('Tokens').waitFor();
  assert.deepEqual(['spend', 'access', 'shared'].map(times), [1, 1, 1]);
});

test('whoever points at a link finds its page there already', async () => {
  await menu('Calls').hover();
  await eventually(() => assert.equal(times('work'), 1));
  await menu('Calls').click();
  await heading('Calls').waitFor();
  assert.equal(times('work'), 1);
});

test('an address within a part opens after a reload', async () => {
  await page.reload();
  await heading('Calls').waitFor();
  await page.goto(`${server.url}/profile`);
  await heading('Your profile').waitFor();
});

test('a part that cannot be fetched says so, and comes when tried again', async () => {
  const gateway = '**/part-gateway-*.wasm';
  await page.route(gateway, (route) => route.abort());
  await menu('Models').click();
  await page.getByRole('alert').getByText('This page could not be fetched').waitFor();
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(violations.map(({ id }) => id), []);
  await picture(page, 'part-not-fetched');
  const tried = times('gateway');
  await button('Try again').click();
  await eventually(() => assert.ok(times('gateway') > tried));
  await page.getByRole('alert').waitFor();
  await page.unroute(gateway);
  await button('Try again').click();
  await heading('Models').waitFor();
  assert.equal(await page.getByRole('alert').count(), 0);
});

test('a part of which the server has a newer one is there after a reload', async () => {
  const proof = '**/part-proof-*.wasm';
  await page.route(proof, (route) => route.fulfill({ status: 404, contentType: 'application/problem+json', body: '{}' }));
  await menu('Audit log').click();
  await page.getByRole('alert').getByText('This page could not be fetched').waitFor();
  // The address is already the page's own, so that a reload leads there.
  assert.match(page.url(), /\/audit$/);
  await page.unroute(proof);
  await button('Reload the console').click();
  await heading('Audit log').waitFor();
});

test('nothing went wrong on any page', () => {
  assert.deepEqual(browser.troubles, []);
});
