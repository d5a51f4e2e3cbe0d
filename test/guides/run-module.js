// Runs one module of a guide to its end.
import { pathToFileURL } from 'node:url';

// A module ends here even if it has left a server running.
await import(pathToFileURL(process.argv[2] ?? '').href);
// An unhandled rejection is reported before the next turn of the event loop.
await new Promise(setImmediate);
process.exit(0);
