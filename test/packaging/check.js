// Checks the packages as published: packs them, installs them in another directory and uses them.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';

import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('../../', import.meta.url));
const packages = ['packages/ocikit', 'packages/cli'];

/** Maximum compressed bytes that a page loads before it can use the client, including the hash. */
const largestClient = 25 * 1024;

/**
 * Maximum compressed bytes including the parts that are loaded only when a call needs them. Each part has an overhead
 * of about 250 bytes. The code for peculiar registries, token servers, uploads, raw requests and several ranges of a
 * blob in one request is in such parts.
 */
const largestWholeClient = 50 * 1024;

/** The oldest TypeScript that README promises, and types of Node that it can read. */
const oldestTypeScript = 'typescript@5.2.2';
const nodeTypes = '@types/node@20.19.43';

let passed = 0;
let failed = 0;

/**
 * @param {string} name
 * @param {() => void | Promise<void>} step
 */
async function check(name, step) {
  try {
    await step();
    passed++;
    process.stdout.write(`  ok      ${name}\n`);
  } catch (error) {
    failed++;
    // The output of a failed command tells more than its error.
    const output = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
    process.stdout.write(`  FAILED  ${name}\n${output}${error instanceof Error ? error.message : String(error)}\n`);
  }
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 */
function run(command, args, cwd) {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/**
 * @typedef {{
 *   name: string;
 *   version: string;
 *   dependencies?: Record<string, string>;
 *   exports: Record<string, string | { browser?: string; default: string }>;
 *   imports: Record<string, { browser: string; default: string }>;
 * }} PackageManifest
 */

/**
 * @param {string} dir
 * @returns {PackageManifest}
 */
function manifestOf(dir) {
  return /** @type {PackageManifest} */ (JSON.parse(readFileSync(join(root, dir, 'package.json'), 'utf8')));
}

/**
 * @param {unknown} found
 * @param {unknown} expected
 * @param {string} what
 */
function equal(found, expected, what) {
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
  }
}

/**
 * Returns the specifiers of all modules that a file imports, directly or not.
 *
 * @param {string} file
 * @param {Set<string>} [seen]
 * @param {Set<string>} [found]
 * @returns {Set<string>}
 */
function importsOf(file, seen = new Set(), found = new Set()) {
  if (seen.has(file)) return found;
  seen.add(file);
  const code = readFileSync(file, 'utf8').replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '');
  for (const [, specifier] of code.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
    if (specifier === undefined) continue;
    if (specifier.startsWith('.')) importsOf(resolve(dirname(file), specifier), seen, found);
    else found.add(specifier);
  }
  return found;
}

const scratch = mkdtempSync(join(tmpdir(), 'ocikit-packaging-'));
/** @type {string[]} */
const tarballs = [];
try {
  for (const dir of packages) {
    const { name } = manifestOf(dir);
    await check(`${name} packs the files that it needs and no others`, () => {
      const output = run('npm', ['pack', '--json', '--pack-destination', scratch], join(root, dir));
      const packed = /** @type {{ filename: string; files: { path: string }[] }[]} */ (JSON.parse(output));
      const [tarball] = packed;
      if (tarball === undefined) throw new Error('npm packed nothing');
      tarballs.push(join(scratch, tarball.filename.replace('@', '').replace('/', '-')));
      const paths = tarball.files.map(({ path }) => path);
      for (const needed of ['LICENSE', 'README.md', 'package.json']) {
        if (!paths.includes(needed)) throw new Error(`${needed} is missing`);
      }
      const strays = paths.filter((path) => /\.test\.|tsbuildinfo|^src\/|^test\//.test(path));
      equal(strays, [], 'needless files');
    });
    await check(`${name} passes publint`, async () => {
      const { messages } = await publint({ pkgDir: join(root, dir), strict: true });
      const manifest = manifestOf(dir);
      equal(
        messages.map((message) => formatMessage(message, manifest)),
        [],
        'messages',
      );
    });
  }

  await check('the types of ocikit resolve in the same environments as its code', () => {
    run('npx', ['attw', tarballs[0] ?? '', '--profile', 'esm-only', '--no-color'], root);
  });

  await check('the library has two dependencies, for passwords and tokens', () => {
    const wanted = { '@node-rs/bcrypt': '2.0.0', jose: '6.2.18' };
    equal(manifestOf('packages/ocikit').dependencies, wanted, 'dependencies');
  });

  await check('only checks of passwords load bcrypt, and only in runtimes that can', () => {
    const { exports } = manifestOf('packages/ocikit');
    for (const [subpath, target] of Object.entries(exports)) {
      if (typeof target === 'string') continue;
      const found = importsOf(join(root, 'packages/ocikit', target.browser ?? target.default));
      equal(found.has('@node-rs/bcrypt'), false, `${subpath} imports bcrypt`);
      // A server loads it with the first request that it has to judge.
      const judges = ['./auth', './node', './serve', './server', './testing'].includes(subpath);
      equal(found.has('#bcrypt'), judges, `${subpath} imports #bcrypt`);
    }
  });

  await check('the parts for all runtimes import nothing from Node', () => {
    const { exports, imports } = manifestOf('packages/ocikit');
    for (const [subpath, target] of Object.entries(exports)) {
      if (['./node', './serve', './layout', './package.json'].includes(subpath)) continue;
      const file = join(
        root,
        'packages/ocikit',
        typeof target === 'string' ? target : (target.browser ?? target.default),
      );
      const found = [...importsOf(file)].filter((specifier) => specifier.startsWith('node:'));
      equal(found, [], `${subpath} imports`);
    }
    equal(
      [...importsOf(join(root, 'packages/ocikit', imports['#hash']?.browser ?? ''))],
      [],
      '#hash in a browser imports',
    );
  });

  await check('in another directory, every subpath can be imported and the command runs', () => {
    writeFileSync(join(scratch, 'package.json'), '{"type":"module","private":true}');
    run('npm', ['install', '--no-audit', '--no-fund', ...tarballs], scratch);
    const { exports } = manifestOf('packages/ocikit');
    const subpaths = Object.keys(exports).filter((subpath) => !subpath.endsWith('.json'));
    writeFileSync(
      join(scratch, 'use.js'),
      `for (const subpath of ${JSON.stringify(subpaths)}) {
        const names = Object.keys(await import('ocikit' + subpath.slice(1)));
        if (names.length === 0) throw new Error(subpath + ' exports nothing');
      }
      const { createMemoryRegistry } = await import('ocikit/memory');
      const { digestOf } = await import('ocikit');
      const bytes = new TextEncoder().encode('hello');
      const { size } = await createMemoryRegistry().pushBlob('a', { digest: digestOf(bytes) }, bytes);
      if (size !== 5) throw new Error('the registry does not work');`,
    );
    run('node', ['use.js'], scratch);
    equal(run('npx', ['ocikit', '--version'], scratch).trim(), manifestOf('packages/cli').version, 'version');
  });

  /**
   * Compiles a module that imports subpaths, with the oldest TypeScript that is supported and with the newest one.
   *
   * @param {string} name
   * @param {{ types: string[]; lib: string[]; subpaths: string[]; installs: string[]; more: string }} project
   */
  const compileProject = (name, { types, lib, subpaths, installs, more }) => {
    const project = join(scratch, name);
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{"type":"module","private":true}');
    run('npm', ['install', '--no-audit', '--no-fund', tarballs[0] ?? '', oldestTypeScript, ...installs], project);
    const compilerOptions = {
      noEmit: true,
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      target: 'ES2022',
      module: 'ESNext',
      moduleResolution: 'Bundler',
      lib,
      types,
    };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }));
    const imports = subpaths.map((subpath, i) => `import * as m${i} from '${join('ocikit', subpath)}';\nvoid m${i};\n`);
    writeFileSync(join(project, 'use.ts'), `${imports.join('')}${more}`);
    run('node', [join(project, 'node_modules/typescript/bin/tsc'), '-p', project], project);
    run('npx', ['tsc', '-p', project], root);
  };

  await check('the types compile in a Worker without the types of Node, with old and new TypeScript', () => {
    compileProject('worker', {
      types: [],
      lib: ['ES2022', 'WebWorker'],
      subpaths: ['.', 'memory', 'blobs', 'client', 'server', 'auth', 'image', 'views', 'upkeep', 'testing'],
      installs: [],
      more: `import { createMemoryRegistry } from 'ocikit/memory';
        import { createServer } from 'ocikit/server';
        export default { fetch: createServer(createMemoryRegistry()).fetch };`,
    });
  });

  await check('the types compile in a program for Node, with old and new TypeScript', () => {
    const { exports } = manifestOf('packages/ocikit');
    compileProject('node', {
      types: ['node'],
      lib: ['ES2022'],
      subpaths: Object.keys(exports).filter((subpath) => !subpath.endsWith('.json')),
      installs: [nodeTypes],
      more: `import { createServer as createHttpServer } from 'node:http';
        import { createMemoryRegistry } from 'ocikit/memory';
        import { createServer } from 'ocikit/server';
        const { node, connection } = createServer(createMemoryRegistry());
        const http = createHttpServer(node);
        http.on('connection', (socket) => connection(socket, 16_384, (taken) => void taken.setNoDelay(true)));`,
    });
  });

  for (const condition of ['browser', 'worker']) {
    await check(`the decisions about callers can be bundled for a ${condition}, without native code`, async () => {
      writeFileSync(join(scratch, 'auth.js'), "export { accessRules, guardLogins, htpasswd } from 'ocikit/auth';");
      /** @type {string[]} */
      const warnings = [];
      const bundle = await rolldown({
        input: join(scratch, 'auth.js'),
        platform: 'browser',
        cwd: scratch,
        resolve: { conditionNames: [condition, 'import', 'default'] },
        onLog: (_, { message }) => warnings.push(message),
      });
      const { output } = await bundle.generate({ format: 'esm' });
      await bundle.close();
      equal(warnings, [], 'warnings');
      const files = new Set(output.map(({ fileName }) => fileName));
      const imported = output.flatMap((file) =>
        file.type === 'chunk' ? file.imports.concat(file.dynamicImports) : [],
      );
      equal(
        imported.filter((name) => !files.has(name)),
        [],
        'imports from outside of the bundle',
      );
    });
  }

  const limits = `${largestClient} bytes, ${largestWholeClient} with lazy parts`;
  await check(`the client for browsers has less than ${limits}, imports nothing from Node, and works`, async () => {
    writeFileSync(join(scratch, 'entry.js'), "export * from 'ocikit/client';");
    /** @type {string[]} */
    const warnings = [];
    const bundle = await rolldown({
      input: join(scratch, 'entry.js'),
      platform: 'browser',
      cwd: scratch,
      // Bundle as for a page: it has no exports, so shared code needs no files of its own.
      preserveEntrySignatures: 'allow-extension',
      onLog: (_, { message }) => warnings.push(message),
    });
    const { output } = await bundle.generate({ format: 'esm', minify: true });
    await bundle.close();
    // Fail on warnings: one of them reports a lazy module that is also imported statically.
    equal(warnings, [], 'warnings');

    const directory = join(scratch, 'bundle');
    mkdirSync(directory);
    /** @type {Map<string, { size: number; imports: string[] }>} */
    const files = new Map();
    /** @type {string[]} */
    const imported = [];
    for (const file of output) {
      if (file.type !== 'chunk') throw new Error(`${file.fileName} is no code`);
      const { fileName, code, imports, dynamicImports } = file;
      writeFileSync(join(directory, fileName), code);
      files.set(fileName, { size: gzipSync(code, { level: 9 }).length, imports });
      imported.push(...imports, ...dynamicImports);
    }
    const outside = imported.filter((name) => !files.has(name));
    equal(outside, [], 'imports from outside of the bundle');

    writeFileSync(
      join(scratch, 'use-bundle.js'),
      `import { createClient } from ${JSON.stringify(pathToFileURL(join(directory, 'entry.js')).href)};
      import { createServer } from 'ocikit/server';
      import { createMemoryRegistry } from 'ocikit/memory';
      import { digestOf, mediaTypes } from 'ocikit';
      const handler = createServer(createMemoryRegistry());
      const client = createClient({ host: 'registry.test', fetch: (url, init) => handler.fetch(new Request(url, init)) });
      for (const algorithm of ['sha256', 'sha512']) {
        const bytes = new TextEncoder().encode(algorithm.repeat(10_000));
        const digest = digestOf(bytes, algorithm);
        await client.pushBlob('a', { digest }, bytes);
        const found = await (await client.getBlob('a', digest)).bytes();
        if (Buffer.compare(found, bytes) !== 0) throw new Error('the bundle does not work');
      }
      const bytes = new Uint8Array(100);
      const upload = await client.startUpload('a');
      await upload.append(bytes);
      await upload.commit(digestOf(bytes));
      const push = (fields, tags) => {
        const manifest = { schemaVersion: 2, mediaType: mediaTypes.imageIndex, manifests: [], ...fields };
        const text = new TextEncoder().encode(JSON.stringify(manifest));
        return client.pushManifest('a', text, mediaTypes.imageIndex, { tags });
      };
      const { descriptor: subject } = await push({}, ['v1']);
      const { descriptor: referrer } = await push({ subject }, []);
      const found = [];
      for await (const { digest } of client.referrers('a', subject.digest)) found.push(digest);
      if (found.join() !== referrer.digest) throw new Error('the bundle lists no referrers');
      await client.deleteManifest('a', referrer.digest);`,
    );
    run('node', ['use-bundle.js'], scratch);

    const loadedAtFirst = new Set(['entry.js']);
    for (const name of loadedAtFirst) for (const needed of files.get(name)?.imports ?? []) loadedAtFirst.add(needed);
    const sizeOf = (/** @type {Iterable<string>} */ names) =>
      [...names].reduce((sum, name) => sum + (files.get(name)?.size ?? 0), 0);
    const first = sizeOf(loadedAtFirst);
    const whole = sizeOf(files.keys());
    process.stdout.write(`          the client: ${first} bytes at first, ${whole} in all ${files.size} files\n`);
    if (first >= largestClient) throw new Error(`a page loads ${first} bytes at first`);
    if (whole >= largestWholeClient) throw new Error(`it has ${whole} bytes`);
  });
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
