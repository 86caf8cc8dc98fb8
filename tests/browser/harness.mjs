// A server with an empty data folder, and a browser that notices every error on a page.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import AxeBuilder from '@axe-core/playwright';
import { chromium } from 'playwright-core';

/** Starts Ralex as on a first start, with settings of its own, and resolves when it says that it is ready. */
export async function startServer(settings = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'ralex-browser-'));
  // The built-in PostgreSQL runs as another user when the tests run as root.
  chmodSync(folder, 0o755);
  const data = join(folder, 'data');
  const server = spawn(process.env.RALEX_BIN, ['serve'], {
    env: { ...process.env, RALEX_LISTEN: '127.0.0.1:0', RALEX_DATA_DIR: data, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  server.stderr.pipe(createWriteStream(join(folder, 'log')));
  const printed = [];
  const url = await new Promise((resolve, reject) => {
    createInterface({ input: server.stdout }).on('line', (line) => {
      printed.push(line);
      if (line.startsWith('ready ')) resolve(line.split(' ')[1].replace(/\/$/, ''));
    });
    server.on('exit', (code) => reject(new Error(`ralex ended with ${code}: ${readFileSync(join(folder, 'log'))}`)));
  });
  const stop = async (keep) => {
    server.removeAllListeners('exit');
    const ended = new Promise((resolve) => server.on('exit', resolve));
    server.kill('SIGINT');
    await ended;
    if (!keep) rmSync(folder, { recursive: true, force: true });
    return folder;
  };
  return { url, printed, data, stop };
}

/** Opens pages whose errors are collected: scripts, the console, the Content-Security-Policy, and failed requests. */
export async function startBrowser() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  });
  const troubles = [];
  const open = async (options = {}) => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => {
        console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI}`);
      });
    });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    page.on('pageerror', (error) => troubles.push(`script: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      // The browser itself logs every answer that is not 2xx; what is expected of those, the tests check.
      if (/Failed to load resource/.test(message.text())) return;
      troubles.push(`console: ${message.text()}`);
    });
    page.on('response', (answer) => {
      if (answer.status() >= 500) troubles.push(`${answer.status()} ${answer.url()}`);
    });
    page.on('request', (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (/^http/.test(protocol) && !['127.0.0.1', 'localhost'].includes(hostname)) troubles.push(`request to another host: ${request.url()}`);
    });
    return page;
  };
  return { browser, open, troubles };
}

/** Signs somebody in for the first time, who then has a password of their own. */
export async function enter(page, url, email, once, password) {
  const field = (name) => page.getByLabel(name, { exact: true });
  await page.goto(url);
  await field('E-mail').fill(email);
  await field('Password').fill(once);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await field('One-time password').fill(once);
  await field('New password').fill(password);
  await page.getByRole('button', { name: 'Set password' }).click();
  await page.getByRole('navigation').first().waitFor();
}

/** Chooses a password by a link, and signs in with it. */
export async function welcome(page, link, email, password) {
  const field = (name) => page.getByLabel(name, { exact: true });
  const button = (name) => page.getByRole('button', { name, exact: true });
  await page.goto(link);
  await field('New password').fill(password);
  await button('Set password').click();
  await page.getByText('Your password is set').waitFor();
  await button('Sign in').click();
  await field('E-mail').fill(email);
  await field('Password').fill(password);
  await button('Sign in').click();
  await page.getByRole('navigation').first().waitFor();
}

/** Tries until it is so; a page draws a moment after an event. */
export async function eventually(check) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await check();
    } catch (error) {
      if (tries === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** A picture of the page, in the four forms that are looked at. */
export async function picture(page, name) {
  const folder = process.env.SCREENSHOTS;
  for (const [scheme, width, height] of [
    ['light', 1440, 900], ['dark', 1440, 900], ['light', 390, 844], ['dark', 390, 844],
  ]) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height });
    await page.screenshot({ path: join(folder, `${name}-${scheme}-${width}.png`) });
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1440, height: 900 });
}

/** Nothing serious that assistive technology would stumble over, and no page wider than a phone; with its pictures. */
export async function fits(page, name) {
  await picture(page, name);
  // Colours on their way from the other theme are none of either.
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  assert.deepEqual(serious.map(({ id, nodes }) => `${id} at ${nodes[0].target.join(' ')}`), []);
  await page.setViewportSize({ width: 390, height: 844 });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 390, `${name} is wider than a phone`);
  await page.setViewportSize({ width: 1440, height: 900 });
}
