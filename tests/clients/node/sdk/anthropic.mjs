// Anthropic's Node SDK.

import Anthropic from '@anthropic-ai/sdk';
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { z } from 'zod';
import { AT_ONCE, broken, first, LONG, MAX_OUTPUT, PIXEL, QUESTION, RESULT, SCHEMA, serve, SYSTEM, timed } from './driver.mjs';

const client = (job, maxRetries = 0) => new Anthropic({ baseURL: job.base, apiKey: job.key, maxRetries });
const Place = z.object({ city: z.string(), degrees: z.number() });
const messages = [{ role: 'user', content: QUESTION }];
const tools = [{ name: 'weather', description: 'Now', input_schema: SCHEMA }];
const say = (job, more = {}) => ({ model: job.model, system: SYSTEM, messages, max_tokens: MAX_OUTPUT, ...more });
const text = (done) => done.content.filter((block) => block.type === 'text').map((block) => block.text).join('');
const told = (done) => ({ text: text(done), stop: done.stop_reason, usage: [done.usage.input_tokens, done.usage.output_tokens] });
const asked = (content) => [{ role: 'user', content }];
async function* pieces(job) {
  for await (const event of await client(job).messages.create(say(job, { stream: true }))) {
    if (event.type === 'content_block_delta' && event.delta.text) yield event.delta.text;
  }
}
const runner = (stream) => async (job) => {
  const calls = [];
  const weather = betaZodTool({
    name: 'weather',
    description: 'Now',
    inputSchema: z.object({ city: z.string() }),
    run: (input) => {
      calls.push(['weather', input]);
      return RESULT;
    },
  });
  const run = client(job).beta.messages.toolRunner(say(job, { tools: [weather], stream }));
  return { text: text(await run.runUntilDone()), calls };
};

serve({
  async sees(job) {
    const picture = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } };
    return told(await client(job).messages.create(say(job, { messages: asked([picture, { type: 'text', text: QUESTION }]) })));
  },
  async parses(job) {
    const done = await client(job).messages.parse(say(job, { output_config: { format: zodOutputFormat(Place) } }));
    return { parsed: done.parsed_output };
  },
  runner: runner(false),
  stream_runner: runner(true),
  async long(job) {
    return told(await client(job).messages.create(say(job, { messages: asked(LONG) })));
  },
  async many(job) {
    const shared = client(job);
    const one = async () => text(await shared.messages.stream(say(job)).finalMessage());
    return { texts: await Promise.all(Array.from({ length: AT_ONCE }, one)) };
  },
  retries: (job) => timed(async () => told(await client(job, 2).messages.create(say(job)))),
  breaks: (job) => broken(pieces(job)),
  hangs: (job) => first(pieces(job)),
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
