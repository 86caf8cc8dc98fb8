// OpenAI's Node SDK: chat completions, responses, embeddings.

import OpenAI from 'openai';
import { MAX_OUTPUT, QUESTION, RESULT, SCHEMA, serve, SYSTEM } from './driver.mjs';

const client = (job) => new OpenAI({ baseURL: `${job.base}/v1`, apiKey: job.key, maxRetries: 0 });
const messages = [{ role: 'system', content: SYSTEM }, { role: 'user', content: QUESTION }];
const tools = [{ type: 'function', function: { name: 'weather', description: 'Now', parameters: SCHEMA } }];
const ask = (job, more = {}) => ({ model: job.model, messages, max_completion_tokens: MAX_OUTPUT, ...more });
const respond = (job, more = {}) =>
  ({ model: job.model, instructions: SYSTEM, input: QUESTION, max_output_tokens: MAX_OUTPUT, store: false, ...more });
const responded = (done) =>
  ({ text: done.output_text, stop: done.status, usage: [done.usage.input_tokens, done.usage.output_tokens] });

serve({
  async plain(job) {
    const done = await client(job).chat.completions.create(ask(job));
    const [choice] = done.choices;
    const usage = [done.usage.prompt_tokens, done.usage.completion_tokens];
    return { text: choice.message.content, stop: choice.finish_reason, usage };
  },
  async stream(job) {
    const pieces = [];
    for await (const chunk of await client(job).chat.completions.create(ask(job, { stream: true }))) {
      if (chunk.choices[0]?.delta?.content) pieces.push(chunk.choices[0].delta.content);
    }
    return { text: pieces.join(''), pieces: pieces.length };
  },
  async tools(job) {
    const once = (turns) => client(job).chat.completions.stream(ask(job, { messages: turns, tools })).finalChatCompletion();
    const { message } = (await once(messages)).choices[0];
    const made = message.tool_calls.map(({ id, function: { name, arguments: text } }) =>
      ({ id, type: 'function', function: { name, arguments: text } }));
    const results = made.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: RESULT }));
    const last = await once([...messages, { role: 'assistant', tool_calls: made }, ...results]);
    return { calls: made.map((call) => [call.function.name, JSON.parse(call.function.arguments)]), text: last.choices[0].message.content };
  },
  async response(job) {
    return responded(await client(job).responses.create(respond(job)));
  },
  async response_stream(job) {
    const kinds = [];
    const stream = client(job).responses.stream(respond(job)).on('event', ({ type }) => kinds.push(type));
    const done = await stream.finalResponse();
    const pieces = kinds.filter((kind) => kind === 'response.output_text.delta').length;
    return { ...responded(done), pieces, first: kinds[0], last: kinds.at(-1) };
  },
  async response_tools(job) {
    const offered = [{ type: 'function', name: 'weather', description: 'Now', parameters: SCHEMA, strict: false }];
    const once = (input) => client(job).responses.create(respond(job, { input, tools: offered }));
    const turns = [{ role: 'user', content: QUESTION }];
    const calls = (await once(turns)).output.filter((item) => item.type === 'function_call');
    for (const { call_id, name, arguments: text } of calls) {
      turns.push({ type: 'function_call', call_id, name, arguments: text });
      turns.push({ type: 'function_call_output', call_id, output: RESULT });
    }
    return { calls: calls.map((call) => [call.name, JSON.parse(call.arguments)]), text: (await once(turns)).output_text };
  },
  async embed(job) {
    const done = await client(job).embeddings.create({ model: job.model, input: ['weather in Oslo', 'the weather in Oslo'] });
    return { vectors: done.data.map((one) => [...one.embedding].map((x) => Math.round(x * 1e4) / 1e4)), usage: [done.usage.prompt_tokens, 0] };
  },
  async models(job) {
    const found = [];
    for await (const model of client(job).models.list()) found.push(model.id);
    return { models: found.sort() };
  },
});
