// Anthropic's Node SDK.

import Anthropic from '@anthropic-ai/sdk';
import { MAX_OUTPUT, QUESTION, RESULT, SCHEMA, serve, SYSTEM } from './driver.mjs';

const client = (job) => new Anthropic({ baseURL: job.base, apiKey: job.key, maxRetries: 0 });
const messages = [{ role: 'user', content: QUESTION }];
const tools = [{ name: 'weather', description: 'Now', input_schema: SCHEMA }];
const say = (job, more = {}) => ({ model: job.model, system: SYSTEM, messages, max_tokens: MAX_OUTPUT, ...more });
const text = (done) => done.content.filter((block) => block.type === 'text').map((block) => block.text).join('');
const told = (done) => ({ text: text(done), stop: done.stop_reason, usage: [done.usage.input_tokens, done.usage.output_tokens] });

serve({
  async plain(job) {
    return told(await client(job).messages.create(say(job)));
  },
  async stream(job) {
    let pieces = 0;
    const stream = client(job).messages.stream(say(job)).on('text', () => (pieces += 1));
    return { ...told(await stream.finalMessage()), pieces };
  },
  async tools(job) {
    const once = (turns) => client(job).messages.stream(say(job, { messages: turns, tools })).finalMessage();
    const first = await once(messages);
    const calls = first.content.filter((block) => block.type === 'tool_use');
    const made = calls.map(({ id, name, input }) => ({ type: 'tool_use', id, name, input }));
    const results = calls.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: RESULT }));
    const turns = [...messages, { role: 'assistant', content: made }, { role: 'user', content: results }];
    return { calls: calls.map((call) => [call.name, call.input]), text: text(await once(turns)) };
  },
  async count(job) {
    const done = await client(job).messages.countTokens({ model: job.model, system: SYSTEM, messages });
    return { counted: done.input_tokens > 0 };
  },
  async models(job) {
    const found = [];
    for await (const model of client(job).models.list()) found.push(model.id);
    return { models: found.sort() };
  },
});
