// Google's Node SDK; its argument chooses between the third version and the second, whose paths differ.

import { AT_ONCE, broken, first, LONG, MAX_OUTPUT, PIXEL, QUESTION, RESULT, SCHEMA, serve, SYSTEM } from './driver.mjs';

const { GoogleGenAI } = await import(process.argv[2] === '2' ? '@google/genai-2' : '@google/genai');
const client = (job) => new GoogleGenAI({ apiKey: job.key, vertexai: false, httpOptions: { baseUrl: job.base } });
const ask = (job, contents, config = {}) =>
  ({ model: job.model, contents, config: { systemInstruction: SYSTEM, maxOutputTokens: MAX_OUTPUT, ...config } });
const parts = (done) => done.candidates?.[0]?.content?.parts ?? [];
const text = (done) => parts(done).filter((part) => part.text && !part.thought).map((part) => part.text).join('');
const told = (done) => ({
  text: text(done),
  stop: done.candidates[0].finishReason,
  usage: [done.usageMetadata.promptTokenCount, done.usageMetadata.candidatesTokenCount],
});
const PLACE = { type: 'object', properties: { city: { type: 'string' }, degrees: { type: 'integer' } }, required: ['city', 'degrees'] };
async function* pieces(job, config) {
  for await (const chunk of await client(job).models.generateContentStream(ask(job, QUESTION, config))) {
    if (text(chunk)) yield text(chunk);
  }
}

serve({
  async sees(job) {
    const picture = { inlineData: { mimeType: 'image/png', data: PIXEL } };
    return told(await client(job).models.generateContent(ask(job, [picture, { text: QUESTION }])));
  },
  async parses(job) {
    const wanted = { responseMimeType: 'application/json', responseJsonSchema: PLACE };
    return { parsed: JSON.parse((await client(job).models.generateContent(ask(job, QUESTION, wanted))).text) };
  },
  // Automatic function calling, with a tool that can be called.
  async runner(job) {
    const calls = [];
    const weather = {
      tool: async () => ({ functionDeclarations: [{ name: 'weather', description: 'Now', parametersJsonSchema: SCHEMA }] }),
      callTool: async (asked) => asked.map(({ id, name, args }) => {
        calls.push([name, args]);
        return { functionResponse: { id, name, response: { result: RESULT } } };
      }),
    };
    return { text: text(await client(job).models.generateContent(ask(job, QUESTION, { tools: [weather] }))), calls };
  },
  async chats(job) {
    const { model, config } = ask(job, QUESTION);
    const chat = client(job).chats.create({ model, config });
    const texts = [text(await chat.sendMessage({ message: QUESTION })), ''];
    for await (const chunk of await chat.sendMessageStream({ message: 'And tomorrow?' })) texts[1] += text(chunk);
    return { texts };
  },
  async long(job) {
    return told(await client(job).models.generateContent(ask(job, LONG)));
  },
  async many(job) {
    const shared = client(job);
    const one = async () => text(await shared.models.generateContent(ask(job, QUESTION)));
    return { texts: await Promise.all(Array.from({ length: AT_ONCE }, one)) };
  },
  breaks: (job) => broken(pieces(job)),
  async hangs(job) {
    const stop = new AbortController();
    const heard = await first(pieces(job, { abortSignal: stop.signal }));
    stop.abort();
    return heard;
  },
  async plain(job) {
    return told(await client(job).models.generateContent(ask(job, QUESTION)));
  },
  async stream(job) {
    const chunks = [];
    for await (const chunk of await client(job).models.generateContentStream(ask(job, QUESTION))) chunks.push(chunk);
    const texts = chunks.map(text).filter(Boolean);
    return { ...told(chunks.at(-1)), text: texts.join(''), pieces: texts.length };
  },
  async tools(job) {
    const tools = [{ functionDeclarations: [{ name: 'weather', description: 'Now', parametersJsonSchema: SCHEMA }] }];
    const turns = [{ role: 'user', parts: [{ text: QUESTION }] }];
    const first = parts(await client(job).models.generateContent(ask(job, turns, { tools })));
    const calls = first.filter((part) => part.functionCall).map((part) => part.functionCall);
    const results = calls.map(({ id, name }) => ({ functionResponse: { id, name, response: { result: RESULT } } }));
    turns.push({ role: 'model', parts: first }, { role: 'user', parts: results });
    const last = await client(job).models.generateContent(ask(job, turns, { tools }));
    return { calls: calls.map((call) => [call.name, call.args]), text: text(last) };
  },
  async count(job) {
    const done = await client(job).models.countTokens({ model: job.model, contents: QUESTION });
    return { counted: done.totalTokens > 0 };
  },
  async embed(job) {
    const done = await client(job).models.embedContent({ model: job.model, contents: ['weather in Oslo', 'the weather in Oslo'] });
    return { vectors: done.embeddings.map((one) => one.values.map((x) => Math.round(x * 1e4) / 1e4)) };
  },
});
