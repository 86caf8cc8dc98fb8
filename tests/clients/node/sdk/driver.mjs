// Runs one client library: reads jobs line by line, does them, and writes what the library returned.
// The same as drivers/driver.py, for Node.

import { createInterface } from 'node:readline';

export const QUESTION = 'What is the weather in Oslo?';
export const SYSTEM = 'You answer briefly.';
export const SCHEMA = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
export const RESULT = '4 degrees';
export const MAX_OUTPUT = 256;
// A picture of one point.
export const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
// A context of 300 kB, in words that JSON must escape as well.
export const LONG = `${'"Bring a coat", said the crow – and flew.\n'.repeat(7000)}and that was the last line.`;
export const AT_ONCE = 20;

// What it returned, and whether that took the second that the provider had asked for.
export async function timed(ask) {
  const begun = performance.now();
  return { ...(await ask()), waited: performance.now() - begun >= 1000 };
}

// How a stream ended that must not end well.
export async function broken(pieces) {
  let heard = false;
  try {
    for await (const piece of pieces) heard = heard || Boolean(piece);
  } catch (error) {
    return { broke: true, kind: error?.name ?? typeof error, heard };
  }
  return { broke: false, heard };
}

export async function first(pieces) {
  for await (const piece of pieces) return { heard: piece.trim() };
}

const failure = (error) => ({
  error: {
    kind: error?.name ?? typeof error,
    status: error?.status ?? error?.statusCode ?? null,
    text: String(error?.message ?? error).slice(0, 1500),
  },
});

export async function serve(scenarios) {
  const out = process.stdout.write.bind(process.stdout);
  // Libraries print what they like; results have a channel of their own.
  process.stdout.write = process.stderr.write.bind(process.stderr);
  for await (const line of createInterface({ input: process.stdin })) {
    const job = JSON.parse(line);
    let result;
    try {
      result = await scenarios[job.do](job);
    } catch (error) {
      result = failure(error);
    }
    out(`${JSON.stringify(result)}\n`);
  }
}
