// The table of rooms: which room may import which. `arrows.test.ts` holds it, in both directions: what is not here is
// refused, and what is here and not in use has to go. `npm run structure:print` prints the rows that are in use.
import type { Room, Rooms } from './room.ts';

/**
 * Serves tests. A test (`*.test.ts`), and each file of such a room, may import all doors, `node:`, packages and these
 * rooms; a test also every file of its own wing. Tests are no part of circles.
 */
const tests: Room = { imports: [], tests: true };

/** Its files are imported one by one: a list of all in an `index.ts` would only be loaded for nothing. */
const everyFile = ['*'];

/**
 * From a room's name to its row. The library's rooms are called as below `packages/ocikit/src`, those of the command as
 * below `packages/cli/src` with `cli/` in front, all others by their path. `room.ts` says what a row may have.
 *
 * A room has the files directly in its folder. Other rooms import its `index.ts`, and what `doors` names.
 * Rooms inside one outermost room are a wing: `innerDoors` are for them alone.
 */
export const rooms: Rooms = {
  // The ground floor: imports no other room, and runs everywhere.
  model: { imports: ['model/hash'] },
  // `#hash` is node.ts or web.ts, by runtime.
  'model/hash': { imports: [], innerDoors: ['hash.ts', 'hex.ts'], node: ['node.ts'] },

  // Moving content between registries: knows the interface alone.
  copy: { imports: ['model'], toCome: true },
  // Images as things: read from and written to a registry, whichever it is.
  image: {
    imports: ['copy', 'image/content', 'image/layout', 'image/os-image', 'image/platform', 'image/push', 'image/ref'],
  },
  'image/content': { imports: ['model'] },
  'image/platform': { imports: ['model'] },
  'image/ref': { imports: ['model', 'image/content', 'image/platform'] },
  'image/layout': { imports: ['model', 'image/content', 'image/ref'] },
  'image/os-image': { imports: ['model', 'image/content', 'image/ref'] },
  'image/push': { imports: ['model', 'image/content', 'image/platform', 'image/ref'] },
  // Streams of tar entries: an image's files, without a disk.
  archive: { imports: ['model', 'copy', 'image'], toCome: true },
  // Retry, back-off and budgets: no HTTP and no registry, so that an object store has them too.
  transfer: { imports: ['model'] },
  // Decisions about callers, and their tokens: no HTTP.
  // node.ts adds the parts that read files.
  auth: {
    imports: [
      'model',
      'auth/bcrypt',
      'auth/files',
      'auth/issuers',
      'auth/logins',
      'auth/passwords',
      'auth/robots',
      'auth/rules',
      'auth/scopes',
      'auth/tokens',
    ],
    doors: ['node.ts'],
  },
  'auth/shared': { imports: [] },
  'auth/scopes': { imports: ['model'] },
  // `#bcrypt` is native.ts or none.ts, by runtime.
  'auth/bcrypt': { imports: [], packages: ['@node-rs/bcrypt'] },
  'auth/passwords': { imports: ['model', 'auth/bcrypt'] },
  'auth/logins': { imports: ['model', 'auth/passwords', 'auth/shared'] },
  'auth/patterns': { imports: ['model'] },
  'auth/rules': { imports: ['model', 'auth/patterns', 'auth/scopes', 'auth/shared'] },
  'auth/robots': { imports: ['model', 'auth/passwords', 'auth/patterns', 'auth/rules', 'auth/scopes'] },
  'auth/files': { imports: ['stores/disk', 'auth/passwords', 'auth/robots', 'auth/tokens'], node: everyFile },
  // Tokens of our own: ES256 keys, JWKS, refresh tokens.
  'auth/tokens': { imports: ['model', 'auth/passwords', 'auth/scopes', 'auth/shared'], packages: ['jose'] },
  // Tokens of others: OIDC issuers, and claims that become users and groups.
  'auth/issuers': { imports: ['model', 'auth/scopes', 'auth/shared', 'auth/tokens'], packages: ['jose'] },

  // Stores know no HTTP, no view and no client.
  'stores/blobs': {
    imports: ['model', 'stores/disk'],
    doors: ['node.ts'],
    node: ['disk-blobs.ts', 'file-checks.ts', 'node.ts'],
  },
  'stores/disk': { imports: ['model'], node: everyFile },
  'stores/repository': { imports: ['model'] },
  'stores/uploads': { imports: ['model', 'stores/blobs', 'stores/repository'] },
  'stores/memory': { imports: ['model', 'stores/blobs', 'stores/repository', 'stores/uploads'] },

  // Upwards: disk ← files ← journal ← index ← root ← registry.
  'stores/layout': {
    imports: [
      'model',
      'stores/uploads',
      'stores/layout/files',
      'stores/layout/registry',
      'stores/layout/root',
      'stores/layout/uploads',
    ],
    node: everyFile,
  },
  'stores/layout/registry': {
    imports: [
      'model',
      'stores/repository',
      'stores/uploads',
      'stores/layout/files',
      'stores/layout/index',
      'stores/layout/journal',
      'stores/layout/root',
      'stores/layout/uploads',
      'stores/disk',
    ],
    node: everyFile,
  },
  'stores/layout/root': {
    imports: [
      'model',
      'stores/disk',
      'stores/repository',
      'stores/layout/files',
      'stores/layout/index',
      'stores/layout/journal',
    ],
    node: everyFile,
  },
  'stores/layout/index': {
    imports: ['model', 'stores/repository', 'stores/layout/files', 'stores/layout/journal', 'stores/disk'],
    node: everyFile,
  },
  'stores/layout/journal': { imports: ['model', 'stores/layout/files', 'stores/disk'], node: everyFile },
  'stores/layout/uploads': {
    imports: ['model', 'stores/blobs', 'stores/uploads', 'stores/layout/files', 'stores/disk'],
    node: everyFile,
  },
  'stores/layout/files': { imports: ['model', 'stores/disk'], node: everyFile },

  // Object storage is given its `fetch`, so it knows none of HTTP's rooms.
  'stores/object': {
    imports: ['model', 'transfer', 'stores/object/r2', 'stores/object/registry', 'stores/object/s3'],
    toCome: true,
  },
  'stores/object/registry': {
    imports: ['model', 'transfer', 'stores/blobs', 'stores/repository', 'stores/uploads'],
    toCome: true,
  },
  'stores/object/s3': { imports: ['model', 'transfer'], packages: ['aws4fetch'], toCome: true },
  'stores/object/r2': { imports: ['model', 'transfer'], toCome: true },

  // HTTP's forms of things, for both ends of a connection.
  'http/wire': { imports: ['model'] },

  // The client knows the model and HTTP, no server and no store. It loads what few callers need by `import()`.
  'http/client': {
    imports: [
      'model',
      'http/wire',
      'transfer',
      'http/client/auth',
      'http/client/manifests',
      'http/client/pull',
      'http/client/push',
      'http/client/referrers',
      'http/client/shared',
      'http/client/transport',
    ],
  },
  'http/client/shared': { imports: ['model', 'http/wire', 'transfer'] },
  'http/client/auth': { imports: ['model', 'http/wire', 'transfer', 'http/client/shared'] },
  'http/client/transport': {
    imports: ['model', 'http/wire', 'transfer', 'http/client/auth', 'http/client/shared'],
  },
  'http/client/manifests': {
    imports: ['model', 'http/wire', 'http/client/shared', 'http/client/transport'],
  },
  'http/client/referrers': {
    imports: ['model', 'http/wire', 'transfer', 'http/client/manifests', 'http/client/shared', 'http/client/transport'],
  },
  'http/client/pull': {
    imports: ['model', 'http/wire', 'http/client/manifests', 'http/client/shared', 'http/client/transport'],
  },
  'http/client/push': {
    imports: [
      'model',
      'http/wire',
      'transfer',
      'http/client/manifests',
      'http/client/referrers',
      'http/client/shared',
      'http/client/transport',
    ],
  },

  // The server knows the interface, no store and no client. It imports only types from Node, so that importing it
  // loads nothing that other runtimes lack.
  'http/server': {
    imports: [
      'model',
      'http/wire',
      'http/server/adapters',
      'http/server/api',
      'http/server/auth',
      'http/server/receiving',
      'http/server/shared',
    ],
  },
  'http/server/shared': { imports: ['model', 'http/wire'] },
  // How many bodies arrive, how fast, and with how much memory: no HTTP status and no header.
  'http/server/receiving': { imports: ['model', 'http/server/shared'] },
  'http/server/api': { imports: ['model', 'http/wire', 'http/server/receiving', 'http/server/shared'] },
  'http/server/adapters': {
    imports: ['model', 'http/server/adapters/fast', 'http/server/adapters/node', 'http/server/shared'],
  },
  'http/server/adapters/node': {
    imports: ['http/server/adapters/socket', 'http/server/shared'],
    nodeTypes: ['node:http'],
  },
  'http/server/adapters/fast': {
    imports: ['model', 'http/server/adapters/socket', 'http/server/shared'],
    nodeTypes: ['node:http', 'node:net'],
  },
  // Both of Node's adapters write to a socket.
  'http/server/adapters/socket': {
    imports: ['model', 'http/server/shared'],
    nodeTypes: ['node:http', 'node:net', 'node:tls'],
  },
  'http/server/auth': { imports: ['model', 'auth', 'http/server/shared', 'http/wire'] },

  // Views know the interface alone.
  views: { imports: ['model', 'views/cache', 'views/shared', 'views/unify'] },
  'views/shared': { imports: ['model'] },
  'views/unify': {
    imports: ['model', 'copy', 'views/shared', 'views/unify/members', 'views/unify/read', 'views/unify/write'],
  },
  'views/unify/members': { imports: ['model'] },
  'views/unify/read': { imports: ['model', 'views/shared', 'views/unify/members'] },
  'views/unify/write': { imports: ['model', 'views/unify/members', 'views/unify/read'] },
  'views/cache': {
    imports: [
      'model',
      'copy',
      'views/cache/content',
      'views/cache/local',
      'views/cache/shared',
      'views/cache/upstream',
    ],
  },
  'views/cache/content': {
    imports: ['model', 'views/cache/fill', 'views/cache/shared', 'views/cache/upstream', 'views/shared', 'transfer'],
  },
  'views/cache/fill': { imports: ['model', 'views/cache/shared', 'views/cache/upstream', 'transfer'] },
  'views/cache/local': { imports: ['model', 'views/cache/upstream', 'views/shared'] },
  'views/cache/upstream': { imports: ['model'] },
  'views/cache/shared': { imports: ['model'] },

  // Upkeep stands on the interface and its Maintenance.
  upkeep: { imports: ['upkeep/check', 'upkeep/gc', 'upkeep/history', 'upkeep/retention', 'upkeep/shared'] },
  'upkeep/gc': { imports: ['model', 'upkeep/graph', 'upkeep/shared'] },
  'upkeep/check': { imports: ['model', 'upkeep/graph', 'upkeep/shared'] },
  'upkeep/retention': { imports: ['model', 'upkeep/graph', 'upkeep/shared'] },
  'upkeep/history': { imports: ['model', 'upkeep/shared'] },
  'upkeep/graph': { imports: ['model', 'upkeep/shared'] },
  'upkeep/shared': { imports: ['model'] },

  // The rooms that only Node has.
  node: { imports: ['node/client', 'node/server'] },
  'node/client': { imports: ['node/client/docker', 'node/client/fetch', 'node/client/transfers'] },
  'node/client/docker': { imports: ['http/client'], node: everyFile },
  'node/client/fetch': { imports: ['model', 'http/wire'], node: everyFile },
  'node/client/transfers': { imports: ['http/client', 'stores/disk'], node: everyFile },
  'node/server': { imports: ['model', 'http/server', 'http/wire'], node: everyFile },

  // Contents, servers and suites for users' tests. node.ts adds the parts that need Node.
  testing: {
    imports: ['testing/cases', 'testing/content', 'testing/contract', 'testing/faults', 'testing/server'],
    doors: ['node.ts'],
  },
  'testing/content': { imports: ['model', 'copy'] },
  'testing/cases': { imports: ['model', 'testing/content'] },
  'testing/contract': {
    imports: ['model', 'testing/cases', 'testing/conformance', 'testing/content'],
  },
  // Tests that run the contract for a registry each.
  'testing/contract/registries': { imports: [] },
  'testing/conformance': { imports: ['model', 'testing/cases', 'testing/content'] },
  'testing/faults': { imports: ['model', 'http/server', 'http/wire', 'testing/content'] },
  'testing/server': {
    imports: ['model', 'http/server', 'image', 'node', 'stores/memory', 'testing/content'],
    packages: ['selfsigned'],
  },
  'testing/test-client': { imports: ['model'] },

  // The command. Each file loads what the arguments need, so its rooms have no index.ts.
  cli: { imports: ['cli/commands/*', 'cli/output'], doors: ['main.ts'], node: ['main.ts'], packages: ['commander'] },
  // Tests of several commands.
  'cli/commands': { imports: [] },
  'cli/commands/*': {
    imports: [
      'model',
      'auth',
      'archive',
      'http/client',
      'http/server',
      'node',
      'node/server',
      'stores/layout',
      'stores/memory',
      'stores/object',
      'upkeep',
      'views',
      'cli/daemon',
      'cli/options',
      'cli/output',
      'web',
    ],
    innerDoors: ['command.ts'],
    node: everyFile,
    packages: ['commander'],
  },
  'cli/options': {
    imports: ['model', 'stores/layout'],
    innerDoors: everyFile,
    node: everyFile,
    packages: ['commander'],
  },
  'cli/output': { imports: ['http/server'], innerDoors: everyFile, node: everyFile },
  'cli/daemon': { imports: ['model', 'http/server', 'node', 'cli/options', 'cli/output'], toCome: true },
  'packages/cli/bin': { imports: ['cli'], doors: ['ocikit.js'] },
  'packages/cli/test': { ...tests, doors: everyFile },

  // The page knows the library, and the command starts it.
  web: { imports: ['model', 'auth', 'archive', 'http/server', 'image', 'upkeep', 'views'], toCome: true },

  'packages/ocikit/test': { ...tests, doors: everyFile },
  'packages/ocikit/test/directory-format': { ...tests, doors: everyFile },
  'test/faults': tests,
  'test/guides': tests,
  'test/interop': tests,
  'test/packaging': tests,
  'test/runtimes': tests,
  'test/structure': { ...tests, innerDoors: everyFile },
  'test/structure/english': tests,

  // The benchmark measures what users get: packages, and the command.
  bench: {
    // The interop tests look for programs too.
    doors: ['programs.ts'],
    imports: ['bench/commands', 'bench/daemons', 'bench/load', 'bench/report', 'bench/systems', 'bench/work'],
    innerDoors: everyFile,
    node: everyFile,
  },
  // Real clients, and the daemons that some of them need. The interop tests start the same daemons.
  'bench/commands': { imports: ['bench', 'bench/daemons', 'bench/systems'], innerDoors: everyFile, node: everyFile },
  'bench/daemons': { imports: ['bench'], doors: everyFile, node: everyFile },
  'bench/clients': {
    imports: ['model', 'http/client', 'image', 'node', 'node/server', 'stores/layout'],
    innerDoors: everyFile,
    node: everyFile,
  },
  'bench/load': { imports: ['bench'], innerDoors: everyFile, node: everyFile },
  'bench/report': { imports: ['bench', 'bench/systems'], innerDoors: everyFile, node: everyFile },
  'bench/systems': {
    imports: ['bench', 'bench/clients', 'bench/load', 'packages/cli/bin', 'testing'],
    innerDoors: everyFile,
    node: everyFile,
  },
  'bench/work': { imports: ['bench', 'bench/commands', 'bench/load', 'bench/systems'], node: everyFile },
};
