// Runs one client library: reads jobs line by line, does them, and writes what the library returned.
// The same as drivers/driver.py, for Node.

import { createInterface } from 'node:readline';

export const QUESTION = 'What is the weather in Oslo?';
export const SYSTEM = 'You answer briefly.';
export const SCHEMA = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
export const RESULT = '4 degrees';
export const MAX_OUTPUT = 256;

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
