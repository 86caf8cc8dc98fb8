// Vercel's AI SDK with four of its providers; the tool loop is its own.

import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateObject, generateText, Output, stepCountIs, streamObject, streamText, tool } from 'ai';
import { z } from 'zod';
import { first, LONG, MAX_OUTPUT, PIXEL, QUESTION, RESULT, serve, SYSTEM, timed } from './driver.mjs';

const models = {
  compatible: ({ base, key, model }) =>
    createOpenAICompatible({ name: 'ralex', baseURL: `${base}/v1`, apiKey: key, supportsStructuredOutputs: true })(model),
  chat: ({ base, key, model }) => createOpenAI({ baseURL: `${base}/v1`, apiKey: key }).chat(model),
  responses: ({ base, key, model }) => createOpenAI({ baseURL: `${base}/v1`, apiKey: key })(model),
  messages: ({ base, key, model }) => createAnthropic({ baseURL: `${base}/v1`, apiKey: key })(model),
  google: ({ base, key, model }) => createGoogleGenerativeAI({ baseURL: `${base}/v1beta`, apiKey: key })(model),
};
const ask = (model, job, more = {}) =>
  ({ model: model(job), system: SYSTEM, prompt: QUESTION, maxOutputTokens: MAX_OUTPUT, maxRetries: 0, ...more });
const schema = z.object({ city: z.string(), degrees: z.number() });
const talk = (content) => ({ prompt: undefined, messages: [{ role: 'user', content }] });
const told = (done) => ({ text: done.text, stop: done.finishReason, usage: [done.usage.inputTokens, done.usage.outputTokens] });

const scenarios = {};
for (const [name, model] of Object.entries(models)) {
  scenarios[`${name}_plain`] = async (job) => {
    const done = await generateText(ask(model, job));
    return told(done);
  };
  scenarios[`${name}_stream`] = async (job) => {
    const pieces = [];
    let problem;
    const stream = streamText(ask(model, job, { onError: ({ error }) => (problem = error) }));
    for await (const piece of stream.textStream) pieces.push(piece);
    if (problem) throw problem;
    return { text: pieces.join(''), pieces: pieces.length };
  };
  const with_tools = (calls) => {
    const weather = tool({
      description: 'Now',
      inputSchema: z.object({ city: z.string() }),
      execute: async (input) => {
        calls.push(['weather', input]);
        return RESULT;
      },
    });
    return { tools: { weather }, stopWhen: stepCountIs(3) };
  };
  scenarios[`${name}_tools`] = async (job) => {
    const calls = [];
    const done = await generateText(ask(model, job, with_tools(calls)));
    return { calls, text: done.text };
  };
  scenarios[`${name}_stream_tools`] = async (job) => {
    const calls = [];
    let problem;
    const stream = streamText(ask(model, job, { ...with_tools(calls), onError: ({ error }) => (problem = error) }));
    let text = '';
    for await (const piece of stream.textStream) text += piece;
    if (problem) throw problem;
    return { calls, text };
  };
  scenarios[`${name}_parses`] = async (job) => ({ parsed: (await generateObject(ask(model, job, { schema }))).object });
  scenarios[`${name}_output_parses`] = async (job) =>
    ({ parsed: (await generateText(ask(model, job, { output: Output.object({ schema }) }))).output });
  scenarios[`${name}_stream_parses`] = async (job) => {
    const stream = streamObject(ask(model, job, { schema, onError: () => {} }));
    for await (const _ of stream.partialObjectStream);
    return { parsed: await stream.object };
  };
  scenarios[`${name}_sees`] = async (job) => {
    const picture = { type: 'file', data: PIXEL, mediaType: 'image/png' };
    return told(await generateText(ask(model, job, talk([{ type: 'text', text: QUESTION }, picture]))));
  };
  scenarios[`${name}_long`] = async (job) => told(await generateText(ask(model, job, talk(LONG))));
  scenarios[`${name}_retries`] = (job) => timed(async () => told(await generateText(ask(model, job, { maxRetries: 2 }))));
  scenarios[`${name}_hangs`] = async (job) => {
    const stop = new AbortController();
    const heard = await first(streamText(ask(model, job, { abortSignal: stop.signal, onError: () => {} })).textStream);
    stop.abort();
    return heard;
  };
}
serve(scenarios);
