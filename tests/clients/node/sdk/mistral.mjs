// Mistral's Node SDK.

import { Mistral } from '@mistralai/mistralai';
import { MAX_OUTPUT, QUESTION, RESULT, SCHEMA, serve, SYSTEM } from './driver.mjs';

const client = (job) => new Mistral({ apiKey: job.key, serverURL: job.base });
const messages = [{ role: 'system', content: SYSTEM }, { role: 'user', content: QUESTION }];
const tools = [{ type: 'function', function: { name: 'weather', description: 'Now', parameters: SCHEMA } }];
const ask = (job, more = {}) => ({ model: job.model, messages, maxTokens: MAX_OUTPUT, ...more });
const input = (call) => (typeof call.function.arguments === 'string' ? JSON.parse(call.function.arguments) : call.function.arguments);

serve({
  async plain(job) {
    const done = await client(job).chat.complete(ask(job));
    const [choice] = done.choices;
    return { text: choice.message.content, stop: choice.finishReason, usage: [done.usage.promptTokens, done.usage.completionTokens] };
  },
  async stream(job) {
    const pieces = [];
    for await (const { data } of await client(job).chat.stream(ask(job))) {
      if (data.choices[0]?.delta?.content) pieces.push(data.choices[0].delta.content);
    }
    return { text: pieces.join(''), pieces: pieces.length };
  },
  async tools(job) {
    const { message } = (await client(job).chat.complete(ask(job, { tools }))).choices[0];
    const results = message.toolCalls.map((call) => ({ role: 'tool', toolCallId: call.id, name: call.function.name, content: RESULT }));
    const turns = [...messages, { ...message, role: 'assistant' }, ...results];
    const last = await client(job).chat.complete(ask(job, { messages: turns, tools }));
    return { calls: message.toolCalls.map((call) => [call.function.name, input(call)]), text: last.choices[0].message.content };
  },
});
