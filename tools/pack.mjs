// Packs the compiled console into console/dist; called by tools/console.
//
// Everything but index.html has a name that holds the hash of its content, so that a browser may keep it for ever.
// index.html is the console's own template, in which {{css}} becomes the links to styles and typeface, and {{js}} the
// module that starts the console. Nothing is inline, since the Content-Security-Policy forbids it.

import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { SHARED, mergeShared, partsIn, withLoader } from './parts.mjs';

const tools = dirname(fileURLToPath(import.meta.url));
const option = (name) => process.argv[process.argv.indexOf(`--${name}`) + 1];
const quick = process.argv.includes('--quick');
const folder = option('console');
const work = option('work');
const dist = join(folder, 'dist');

const FONTS = join(tools, 'node_modules/@fontsource-variable/inter');
const SUBSETS = ['latin', 'latin-ext'];
// What rustc's wasm32-unknown-unknown emits by itself, and no more, so that no browser meets a newer instruction.
const FEATURES = ['bulk-memory', 'multivalue', 'mutable-globals', 'nontrapping-float-to-int', 'reference-types', 'sign-ext'];
// For size alone. Inlining is left to rustc: what wasm-opt would inline is smaller only before compression.
// Functions of one name, for one type after another, stand beside each other, where they compress best.
// The first kilobyte is the far end of the stack, where nothing is kept, so an offset needs no addition of its own.
const OPTIMISE = ['--low-memory-unused', '-Oz', '--gufa-optimizing', '-Oz', '-aimfs', '0', '-ocimfs', '0', '-fimfs', '0', '--reorder-functions-by-name', '--strip-debug', '--strip-producers'];
// What a browser downloads before it shows a page: the main file, and with it the files of the page's part (compressed, in bytes).
const LIMIT = 600_000;
const COMPRESSED = new Set(['.css', '.html', '.js', '.json', '.svg', '.txt', '.wasm', '.webmanifest']);
const TEMPLATE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Ralex</title>
    {{css}}
    {{js}}
  </head>
  <body></body>
</html>
`;

const say = (text) => console.error(`· ${text}`);
const hash = (...texts) => texts.reduce((sum, part) => sum.update(part).update('\0'), createHash('sha256')).digest('hex');
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(0)} kB`;

function hashedName(name, content) {
  const extension = extname(name);
  return `${basename(name, extension)}-${hash(content).slice(0, 16)}${extension}`;
}

/** Runs a tool of binaryen and gives its output. */
function binaryen(tool, ...rest) {
  const flags = FEATURES.map((name) => `--enable-${name}`);
  const path = join(tools, 'node_modules/binaryen/bin', tool);
  try {
    return execFileSync(process.execPath, [path, ...flags, ...rest], { encoding: 'utf8', maxBuffer: 1 << 28, stdio: 'pipe' });
  } catch (error) {
    // Where it succeeds, it only says that it does not know every kind of name that rustc gives.
    console.error(error.stderr);
    throw error;
  }
}

/** Glue and optimised WebAssembly, made anew only when the compiled file or the tools changed. */
function glue() {
  const own = ['package-lock.json', 'parts.mjs'].map((name) => readFileSync(join(tools, name)));
  const key = hash(readFileSync(option('wasm')), readFileSync(option('bindgen')), ...own, FEATURES.join(), OPTIMISE.join(), String(quick));
  const done = join(work, 'glue');
  const stamp = join(done, 'inputs');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return done;

  const fresh = join(work, 'fresh');
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  execFileSync(option('bindgen'), [option('wasm'), fresh], { stdio: 'inherit' });
  mergeShared(fresh, binaryen);
  if (!quick) {
    say('console: optimising (wasm-opt -Oz)');
    for (const name of ['console_bg', ...partsIn(fresh).map((part) => `split_${part}`)]) {
      const wasm = join(fresh, `${name}.wasm`);
      binaryen('wasm-opt', ...OPTIMISE, '-o', wasm, wasm);
    }
  }
  writeFileSync(join(fresh, 'inputs'), key);
  rmSync(done, { recursive: true, force: true });
  renameSync(fresh, done);
  return done;
}

/** console/styles as one sheet: in the order of the @import lines of index.css where there is one, else by name. */
function styles() {
  const from = join(folder, 'styles');
  if (!existsSync(from)) return '';
  const index = join(from, 'index.css');
  const inline = (path) => readFileSync(path, 'utf8').replace(
    /^@import\s+(?:url\()?["']([^"']+)["']\)?\s*(layer\([^)]*\))?\s*;/gm,
    (_, name, layer) => {
      const content = inline(join(dirname(path), name));
      return layer ? `@layer ${layer.slice(6, -1)} {\n${content}\n}` : content;
    },
  );
  if (existsSync(index)) return inline(index);
  return readdirSync(from).filter((name) => name.endsWith('.css')).sort()
    .map((name) => readFileSync(join(from, name), 'utf8')).join('\n');
}

/** The typeface's files and the rules that load each only when a page has a letter of it. */
function fonts(put) {
  const ranges = JSON.parse(readFileSync(join(FONTS, 'unicode.json'), 'utf8'));
  const files = SUBSETS.map((subset) => {
    const content = readFileSync(join(FONTS, `files/inter-${subset}-wght-normal.woff2`));
    return { url: put(`inter-${subset}.woff2`, content), range: ranges[subset] };
  });
  const faces = files.flatMap(({ url, range }) => ['Inter', 'Inter Variable'].map((family) =>
    `@font-face{font-family:"${family}";font-style:normal;font-weight:100 900;font-display:swap;`
    + `src:url(${url}) format("woff2");unicode-range:${range}}`));
  return { css: faces.join('\n') + '\n', first: files[0].url };
}

/** Writes a file and its compressed forms, which are kept from the last build when the content is the same. */
function write(into, name, content) {
  const path = join(into, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  if (!COMPRESSED.has(extname(name))) return;
  const quality = quick ? 5 : 11;
  const cache = join(work, 'compressed', `${hash(content).slice(0, 32)}-${quality}`);
  if (!existsSync(cache + '.gz')) {
    mkdirSync(dirname(cache), { recursive: true });
    const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN, BROTLI_PARAM_SIZE_HINT } = constants;
    const params = { [BROTLI_PARAM_QUALITY]: quality, [BROTLI_PARAM_LGWIN]: 22, [BROTLI_PARAM_SIZE_HINT]: content.length };
    writeFileSync(cache + '.br', brotliCompressSync(content, { params }));
    writeFileSync(cache + '.gz', gzipSync(content, { level: 9 }));
  }
  cpSync(cache + '.br', path + '.br');
  cpSync(cache + '.gz', path + '.gz');
}

function pack() {
  const made = glue();
  say('console: packing');
  const into = join(work, 'dist');
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into, { recursive: true });
  const put = (name, content) => {
    const hashed = hashedName(name, content);
    write(into, hashed, content);
    return `/${hashed}`;
  };

  const face = fonts(put);
  const css = put('console.css', Buffer.from(face.css + styles()));
  const wasm = put('console_bg.wasm', readFileSync(join(made, 'console_bg.wasm')));
  const start = `\n__wbg_init({ module_or_path: "${wasm}" }).catch((error) => {\n`
    + '  document.body.textContent = "The console could not start: " + error;\n});\n';
  const parts = Object.fromEntries(partsIn(made).map((part) => [part, put(`part-${part}.wasm`, readFileSync(join(made, `split_${part}.wasm`)))]));
  const js = put('console.js', Buffer.from(withLoader(readFileSync(join(made, 'console.js'), 'utf8'), parts) + start));
  if (existsSync(join(made, 'snippets'))) cpSync(join(made, 'snippets'), join(into, 'snippets'), { recursive: true });

  const fixed = join(folder, 'static');
  if (existsSync(fixed)) for (const name of readdirSync(fixed)) write(into, name, readFileSync(join(fixed, name)));
  write(into, 'inter-license.txt', readFileSync(join(FONTS, 'LICENSE')));

  const template = existsSync(join(folder, 'index.html')) ? readFileSync(join(folder, 'index.html'), 'utf8') : TEMPLATE;
  for (const mark of ['{{css}}', '{{js}}']) {
    if (!template.includes(mark)) throw new Error(`console/index.html has no ${mark}`);
  }
  write(into, 'index.html', Buffer.from(template
    .replace('{{css}}', `<link rel="preload" href="${face.first}" as="font" type="font/woff2" crossorigin>\n`
      + `    <link rel="stylesheet" href="${css}">`)
    .replace('{{js}}', `<link rel="preload" href="${wasm}" as="fetch" type="application/wasm" crossorigin>\n`
      + `    <script type="module" src="${js}"></script>`)));

  const size = (url) => statSync(join(into, `${url.slice(1)}.br`)).size;
  const fits = weigh(size(wasm), Object.entries(parts).map(([part, url]) => [part, size(url)]));
  if (!quick && !fits) {
    console.error(`A page of the console needs more than ${kilobytes(LIMIT)} of compressed WebAssembly, which makes it slow to open.`
      + ' See what grew: build with `-C symbol-mangling-version=v0` and ask `twiggy top`; or divide its part (console/src/parts.rs).');
    process.exit(1);
  }

  // Swapped whole, so that a server that reads the folder meanwhile never sees half of it.
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    renameSync(into, dist);
  } catch (error) {
    if (error.code !== 'EXDEV') throw error;
    cpSync(into, dist, { recursive: true });
  }
  say('console: ready');
}

/** Says what the main file and each part weigh, and what a page of the part needs in all; false if one is too heavy. */
function weigh(main, parts) {
  const shared = Object.fromEntries(parts)[SHARED] ?? 0;
  const row = (name, own, all) => say(`${name.padEnd(12)}${own.padStart(8)}${all.padStart(12)}`);
  row('compressed', 'file', 'to open');
  row('main', kilobytes(main), kilobytes(main));
  for (const [part, own] of parts) row(part, kilobytes(own), part === SHARED ? '' : kilobytes(main + shared + own));
  return parts.every(([part, own]) => part === SHARED || main + shared + own <= LIMIT) && main <= LIMIT;
}

pack();
