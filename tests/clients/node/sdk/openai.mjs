// OpenAI's Node SDK: chat completions, responses, embeddings, files and batches.

import OpenAI, { toFile } from 'openai';
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { AT_ONCE, broken, first, LONG, MAX_OUTPUT, PIXEL, QUESTION, RESULT, SCHEMA, serve, SYSTEM, timed } from './driver.mjs';

const client = (job, maxRetries = 0) => new OpenAI({ baseURL: `${job.base}/v1`, apiKey: job.key, maxRetries });
const Place = z.object({ city: z.string(), degrees: z.number() });
const picture = `data:image/png;base64,${PIXEL}`;
const messages = [{ role: 'system', content: SYSTEM }, { role: 'user', content: QUESTION }];
const tools = [{ type: 'function', function: { name: 'weather', description: 'Now', parameters: SCHEMA } }];
const ask = (job, more = {}) => ({ model: job.model, messages, max_completion_tokens: MAX_OUTPUT, ...more });
const respond = (job, more = {}) =>
  ({ model: job.model, instructions: SYSTEM, input: QUESTION, max_output_tokens: MAX_OUTPUT, store: false, ...more });
const responded = (done) =>
  ({ text: done.output_text, stop: done.status, usage: [done.usage.input_tokens, done.usage.output_tokens] });
const with_user = (content) => [messages[0], { role: 'user', content }];
const told = (done) => {
  const [choice] = done.choices;
  const usage = [done.usage.prompt_tokens, done.usage.completion_tokens];
  return { text: choice.message.content, stop: choice.finish_reason, usage };
};
async function* contents(job) {
  // Who leaves the loop ends the connection.
  for await (const chunk of await client(job).chat.completions.create(ask(job, { stream: true }))) {
    if (chunk.choices[0]?.delta?.content) yield chunk.choices[0].delta.content;
  }
}
async function* response_contents(job) {
  for await (const event of await client(job).responses.create(respond(job, { stream: true }))) {
    if (event.type === 'error' || event.type === 'response.failed') throw new Error(event.type);
    if (event.type === 'response.output_text.delta') yield event.delta;
  }
}

serve({
  async sees(job) {
    const content = [{ type: 'text', text: QUESTION }, { type: 'image_url', image_url: { url: picture } }];
    return told(await client(job).chat.completions.create(ask(job, { messages: with_user(content) })));
  },
  async parses(job) {
    const done = await client(job).chat.completions.parse(ask(job, { response_format: zodResponseFormat(Place, 'place') }));
    return { parsed: done.choices[0].message.parsed };
  },
  async runner(job) {
    const calls = [];
    const call = async (input) => {
      calls.push(['weather', input]);
      return RESULT;
    };
    const weather = { name: 'weather', description: 'Now', parameters: SCHEMA, parse: JSON.parse, function: call };
    const run = client(job).chat.completions.runTools(ask(job, { stream: true, tools: [{ type: 'function', function: weather }] }));
    return { calls, text: await run.finalContent() };
  },
  async long(job) {
    return told(await client(job).chat.completions.create(ask(job, { messages: with_user(LONG) })));
  },
  async many(job) {
    const shared = client(job);
    const one = async () => (await shared.chat.completions.stream(ask(job)).finalChatCompletion()).choices[0].message.content;
    return { texts: await Promise.all(Array.from({ length: AT_ONCE }, one)) };
  },
  retries: (job) => timed(async () => told(await client(job, 2).chat.completions.create(ask(job)))),
  breaks: (job) => broken(contents(job)),
  hangs: (job) => first(contents(job)),
  async response_parses(job) {
    const done = await client(job).responses.parse(respond(job, { text: { format: zodTextFormat(Place, 'place') } }));
    return { parsed: done.output_parsed };
  },
  async response_continues(job) {
    const one = await client(job).responses.create(respond(job, { store: true }));
    const next = respond(job, { store: true, input: 'And tomorrow?', previous_response_id: one.id });
    return { texts: [one.output_text, (await client(job).responses.create(next)).output_text] };
  },
  async response_keeps(job) {
    const kept = client(job).responses;
    const made = await kept.create(respond(job, { store: true }));
    const read = await kept.retrieve(made.id);
    const asked = [];
    for await (const item of kept.inputItems.list(made.id, { limit: 20 })) asked.push(...item.content.map((part) => part.text));
    await kept.delete(made.id);
    const gone = await kept.retrieve(made.id).then(() => false, (error) => error.status === 404);
    return { texts: [made.output_text, read.output_text], asked, gone };
  },
  response_breaks: async (job) => ({ ...(await broken(response_contents(job))), kind: 'any' }),
  response_hangs: (job) => first(response_contents(job)),
  async batch(job) {
    const body = ask(job);
    const lines = ['q0', 'q1'].map((custom_id) => ({ custom_id, method: 'POST', url: '/v1/chat/completions', body }));
    const file = await toFile(Buffer.from(lines.map((line) => JSON.stringify(line)).join('\n')), 'questions.jsonl');
    const { files, batches } = client(job);
    const kept = await files.create({ file, purpose: 'batch' });
    let batch = await batches.create({ input_file_id: kept.id, endpoint: '/v1/chat/completions', completion_window: '24h' });
    for (let tries = 0; batch.status !== 'completed' && tries < 100; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      batch = await batches.retrieve(batch.id);
    }
    const output = await (await files.content(batch.output_file_id)).text();
    const answers = output.trim().split('\n').map((line) => JSON.parse(line));
    const name = (await files.retrieve(kept.id)).filename;
    const texts = answers.map((answer) => answer.response.body.choices[0].message.content);
    return { texts, name, gone: (await files.delete(kept.id)).deleted };
  },
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
