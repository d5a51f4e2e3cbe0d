// Bundles each package for Node: one file for each subpath, and a few shared ones.
// Finding, reading and compiling one file per module takes a third of a start. Other runtimes use the modules.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { rolldown } from 'rolldown';

const library = join(import.meta.dirname, 'packages/ocikit');
const command = join(import.meta.dirname, 'packages/cli');

/**
 * The library's entries, by what `exports` calls them for Node.
 *
 * @returns {Record<string, string>}
 */
function entriesOfLibrary() {
  const manifest = /** @type {{ exports: Record<string, string | { types: string; node: string }> }} */ (
    JSON.parse(readFileSync(join(library, 'package.json'), 'utf8'))
  );
  const targets = Object.values(manifest.exports).filter((target) => typeof target === 'object');
  return Object.fromEntries(
    targets.map(({ types, node }) => [
      node.replace(/^\.\/bundled\/(.*)\.js$/, '$1'),
      join(library, types.replace(/^\.\/dist\/(.*)\.d\.ts$/, 'src/$1.ts')),
    ]),
  );
}

/**
 * @param {string} directory the package's directory
 * @param {Record<string, string>} input
 * @param {(string | RegExp)[]} external
 */
async function bundle(directory, input, external) {
  const build = await rolldown({
    input,
    platform: 'node',
    external: [/^node:/, ...external],
    transform: { target: 'es2022' },
    resolve: {
      alias: {
        '#bcrypt': join(library, 'src/auth/bcrypt/native.ts'),
        '#hash': join(library, 'src/model/hash/node.ts'),
      },
    },
    onLog: (_, { message }) => {
      throw new Error(message);
    },
  });
  await build.write({
    dir: join(directory, 'bundled'),
    cleanDir: true,
    chunkFileNames: 'shared/[name].js',
    sourcemap: true,
    sourcemapExcludeSources: true,
  });
  await build.close();
}

await bundle(library, entriesOfLibrary(), ['@node-rs/bcrypt', 'jose', 'selfsigned', '@opentelemetry/api']);
await bundle(command, { main: join(command, 'src/main.ts') }, ['ocikit', /^ocikit\//, 'commander']);
