// The official Node SDKs see no difference between Ralex and a provider. Run by tests/sdk/run, which starts the stack.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

const { RALEX_URL, RALEX_TOKEN, RALEX_POOR_TOKEN, UPSTREAM_URL } = process.env;
const scripts = JSON.parse(readFileSync(new URL('scripts.json', import.meta.url), 'utf8'));
const UPSTREAMS = ['openai-model', 'anthropic-model'];

const openai = (apiKey = RALEX_TOKEN) => new OpenAI({ baseURL: `${RALEX_URL}/v1`, apiKey, maxRetries: 0 });
const anthropic = (apiKey = RALEX_TOKEN) => new Anthropic({ baseURL: RALEX_URL, apiKey, maxRetries: 0 });
const messages = [{ role: 'user', content: 'What is the weather in Oslo?' }];
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const openaiTools = [{ type: 'function', function: { name: 'weather', description: 'Now', parameters: schema } }];
const anthropicTools = [{ name: 'weather', description: 'Now', input_schema: schema }];
const ask = (model, more = {}) => ({ model, messages, max_completion_tokens: 256, ...more });
const say = (model, more = {}) => ({ model, messages, max_tokens: 256, ...more });

async function script(name) {
  const answer = await fetch(`${UPSTREAM_URL}/_script`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(scripts[name]),
  });
  assert.ok(answer.ok, `the upstream took no script: ${answer.status}`);
}

for (const model of UPSTREAMS) {
  test(`openai: a plain answer arrives with text and usage (${model})`, async () => {
    await script('plain');
    const done = await openai().chat.completions.create(ask(model));
    assert.equal(done.choices[0].message.content, scripts.answer);
    assert.equal(done.usage.completion_tokens, scripts.output_tokens);
  });

  test(`openai: a streamed answer is the same text in pieces (${model})`, async () => {
    await script('plain');
    const pieces = [];
    for await (const chunk of await openai().chat.completions.create(ask(model, { stream: true }))) {
      if (chunk.choices[0]?.delta?.content) pieces.push(chunk.choices[0].delta.content);
    }
    assert.equal(pieces.join(''), scripts.answer);
    assert.ok(pieces.length > 1);
  });

  test(`openai: a tool call is passed through, plain and streamed (${model})`, async () => {
    await script('tool');
    const done = await openai().chat.completions.create(ask(model, { tools: openaiTools }));
    const call = done.choices[0].message.tool_calls[0];
    assert.equal(call.function.name, 'weather');
    assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Oslo' });

    await script('tool');
    const stream = openai().chat.completions.stream(ask(model, { tools: openaiTools }));
    const whole = await stream.finalChatCompletion();
    assert.deepEqual(JSON.parse(whole.choices[0].message.tool_calls[0].function.arguments), { city: 'Oslo' });
  });

  test(`anthropic: a plain answer arrives with text and usage (${model})`, async () => {
    await script('plain');
    const done = await anthropic().messages.create(say(model));
    assert.equal(done.content[0].text, scripts.answer);
    assert.equal(done.usage.output_tokens, scripts.output_tokens);
    assert.equal(done.stop_reason, 'end_turn');
  });

  test(`anthropic: a streamed answer is the same text in pieces (${model})`, async () => {
    await script('plain');
    const pieces = [];
    const stream = anthropic().messages.stream(say(model)).on('text', (piece) => pieces.push(piece));
    const done = await stream.finalMessage();
    assert.equal(pieces.join(''), scripts.answer);
    assert.equal(done.usage.output_tokens, scripts.output_tokens);
  });

  test(`anthropic: a tool call is passed through, plain and streamed (${model})`, async () => {
    await script('tool');
    const done = await anthropic().messages.create(say(model, { tools: anthropicTools }));
    assert.deepEqual(done.content.find((block) => block.type === 'tool_use').input, { city: 'Oslo' });

    await script('tool');
    const whole = await anthropic().messages.stream(say(model, { tools: anthropicTools })).finalMessage();
    assert.deepEqual(whole.content.find((block) => block.type === 'tool_use').input, { city: 'Oslo' });
  });
}

test('the simulated provider answers both SDKs, plain and streamed', async () => {
  const chat = await openai().chat.completions.create(ask('simulated-model'));
  assert.ok(chat.choices[0].message.content);
  const message = await anthropic().messages.create(say('simulated-model'));
  assert.ok(message.content[0].text);
  const whole = await anthropic().messages.stream(say('simulated-model')).finalMessage();
  assert.ok(whole.content[0].text);
});

test('a wrong token is an authentication error', async () => {
  await assert.rejects(openai('rlx_wrong').chat.completions.create(ask('openai-model')), OpenAI.AuthenticationError);
  await assert.rejects(anthropic('rlx_wrong').messages.create(say('anthropic-model')), Anthropic.AuthenticationError);
});

test('a spent budget refuses with a clear message', async () => {
  const refused = (error) => error.status === 402 && /budget/i.test(error.message);
  await assert.rejects(openai(RALEX_POOR_TOKEN).chat.completions.create(ask('openai-model')), refused);
  await assert.rejects(anthropic(RALEX_POOR_TOKEN).messages.create(say('anthropic-model')), refused);
});

test('an unknown model is a not-found error that names it', async () => {
  const unknown = (error) => error.status === 404 && error.message.includes('no-such-model');
  await assert.rejects(openai().chat.completions.create(ask('no-such-model')), unknown);
  await assert.rejects(anthropic().messages.create(say('no-such-model')), unknown);
});
