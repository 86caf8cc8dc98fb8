// Vercel's AI SDK with four of its providers; the tool loop is its own.

import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { MAX_OUTPUT, QUESTION, RESULT, serve, SYSTEM } from './driver.mjs';

const models = {
  compatible: ({ base, key, model }) => createOpenAICompatible({ name: 'ralex', baseURL: `${base}/v1`, apiKey: key })(model),
  chat: ({ base, key, model }) => createOpenAI({ baseURL: `${base}/v1`, apiKey: key }).chat(model),
  responses: ({ base, key, model }) => createOpenAI({ baseURL: `${base}/v1`, apiKey: key })(model),
  messages: ({ base, key, model }) => createAnthropic({ baseURL: `${base}/v1`, apiKey: key })(model),
  google: ({ base, key, model }) => createGoogleGenerativeAI({ baseURL: `${base}/v1beta`, apiKey: key })(model),
};
const ask = (model, job, more = {}) =>
  ({ model: model(job), system: SYSTEM, prompt: QUESTION, maxOutputTokens: MAX_OUTPUT, maxRetries: 0, ...more });

const scenarios = {};
for (const [name, model] of Object.entries(models)) {
  scenarios[`${name}_plain`] = async (job) => {
    const done = await generateText(ask(model, job));
    return { text: done.text, stop: done.finishReason, usage: [done.usage.inputTokens, done.usage.outputTokens] };
  };
  scenarios[`${name}_stream`] = async (job) => {
    const pieces = [];
    let problem;
    const stream = streamText(ask(model, job, { onError: ({ error }) => (problem = error) }));
    for await (const piece of stream.textStream) pieces.push(piece);
    if (problem) throw problem;
    return { text: pieces.join(''), pieces: pieces.length };
  };
  scenarios[`${name}_tools`] = async (job) => {
    const calls = [];
    const weather = tool({
      description: 'Now',
      inputSchema: z.object({ city: z.string() }),
      execute: async (input) => {
        calls.push(['weather', input]);
        return RESULT;
      },
    });
    const done = await generateText(ask(model, job, { tools: { weather }, stopWhen: stepCountIs(3) }));
    return { calls, text: done.text };
  };
}
serve(scenarios);
