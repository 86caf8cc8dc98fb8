// Groq's Node SDK, which puts /openai/v1 before every path.

import Groq from 'groq-sdk';
import { MAX_OUTPUT, QUESTION, RESULT, SCHEMA, serve, SYSTEM } from './driver.mjs';

const messages = [{ role: 'system', content: SYSTEM }, { role: 'user', content: QUESTION }];
const tools = [{ type: 'function', function: { name: 'weather', description: 'Now', parameters: SCHEMA } }];
const ask = (job, more = {}) =>
  new Groq({ apiKey: job.key, baseURL: job.base, maxRetries: 0 }).chat.completions.create(
    { model: job.model, messages, max_completion_tokens: MAX_OUTPUT, ...more });

serve({
  async plain(job) {
    const done = await ask(job);
    const [choice] = done.choices;
    return { text: choice.message.content, stop: choice.finish_reason, usage: [done.usage.prompt_tokens, done.usage.completion_tokens] };
  },
  async stream(job) {
    const pieces = [];
    for await (const chunk of await ask(job, { stream: true })) {
      if (chunk.choices[0]?.delta?.content) pieces.push(chunk.choices[0].delta.content);
    }
    return { text: pieces.join(''), pieces: pieces.length };
  },
  async tools(job) {
    const { message } = (await ask(job, { tools })).choices[0];
    const results = message.tool_calls.map((call) => ({ role: 'tool', tool_call_id: call.id, content: RESULT }));
    const turns = [...messages, { role: 'assistant', tool_calls: message.tool_calls }, ...results];
    const last = await ask(job, { messages: turns, tools });
    const calls = message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
    return { calls, text: last.choices[0].message.content };
  },
});
