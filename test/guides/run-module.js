import { pathToFileURL } from 'node:url';

// A module that has left a server running has nevertheless come to its end.
await import(pathToFileURL(process.argv[2] ?? '').href);
// What rejects without anybody's handling it does so before the next turn.
await new Promise(setImmediate);
process.exit(0);
