// What fetches the console's parts, at the head of its glue; tools/parts.mjs fills in which files each part has.

const coming = new Map();

/** Fetches a file once. One that failed is fetched again by whoever asks next. */
function bring(url) {
  if (!coming.has(url)) {
    const main = initSync();
    const file = WebAssembly.instantiateStreaming(fetch(url), { main, __wasm_split: main });
    coming.set(url, file);
    file.catch(() => coming.delete(url));
  }
  return coming.get(url);
}

/** What the console calls for a part: it is told, by a function of its own, whether the part is here. */
const part = (urls) => async (told, whom) => {
  let here = true;
  try {
    await Promise.all(urls.map(bring));
  } catch (error) {
    console.warn(error);
    here = false;
  }
  initSync().__indirect_function_table.get(told)(whom, here);
};

const parts = {{parts}};

