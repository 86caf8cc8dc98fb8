// The parts of the console that a browser fetches when somebody goes to a page of theirs; used by tools/pack.mjs.
//
// tools/bindgen takes the compiled console apart: split_NAME.wasm is what one part alone needs, chunk_NUMBER.wasm what
// one set of parts does. There are dozens of such sets, so all chunks become one file, which comes with whichever part
// is first. Every file works on the memory, the function table and the stack of the main one.

import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What several parts need and the main file does not. */
export const SHARED = 'shared';
/** The import module under which the parts find what is the main file's. */
const MAIN = '__wasm_split';
/** The same, outside of what is merged. */
const HOST = 'main';

/** Makes split_shared.wasm of all chunks in the folder. `run(tool, ...args)` runs a tool of binaryen and gives its output. */
export function mergeShared(folder, run) {
  const chunks = readdirSync(folder).filter((name) => /^chunk_\d+\.wasm$/.test(name)).sort();
  if (chunks.length === 0) return;
  const path = (name) => join(folder, name);
  // Merging joins an import to an export, but never one import to another, and a module has one memory. So the chunks
  // are joined to a module that passes on what it imports itself.
  const passed = new Map();
  for (const chunk of chunks) {
    const imports = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(path(chunk))));
    if (imports.every(({ module, name }) => module === MAIN && passed.has(name))) continue;
    for (const [line, name, kind, id] of run('wasm-dis', path(chunk)).matchAll(/^ *\(import "__wasm_split" "([^"]+)" \((\w+) (\$\S+) .*$/gm)) {
      passed.set(name, `${line.replace(MAIN, HOST)} (export "${name}" (${kind} ${id}))`);
    }
  }
  // All imports stand before what a module has of its own, and an export may name what follows.
  writeFileSync(path('host.wat'), `(module\n${[...passed.values()].join('\n')}\n)\n`);
  run('wasm-as', path('host.wat'), '-o', path('host.wasm'));
  const named = chunks.flatMap((chunk) => [path(chunk), chunk.replace('.wasm', '')]);
  run('wasm-merge', '-g', path('host.wasm'), MAIN, ...named, '-o', path(`split_${SHARED}.wasm`));
  for (const name of [...chunks, 'host.wat', 'host.wasm']) rmSync(path(name));
}

/** The parts in a folder by name. */
export function partsIn(folder) {
  return readdirSync(folder).map((name) => name.match(/^split_(.+)\.wasm$/)?.[1]).filter(Boolean).sort();
}

/** The glue with what fetches the parts in it; `urls` names the file of each. */
export function withLoader(glue, urls) {
  const { [SHARED]: shared, ...own } = urls;
  const files = Object.entries(own).map(([name, url]) => `  __wasm_split_load_${name}: part(${JSON.stringify([shared, url].filter(Boolean))}),\n`);
  const loader = readFileSync(new URL('parts.js', import.meta.url), 'utf8').replace('{{parts}}', `{\n${files.join('')}}`);
  return loader + glue.replace(/^import \* as (\w+) from "\.\/parts\.js";?$/gm, 'const $1 = parts;');
}
