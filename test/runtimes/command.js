// The exercise for runtimes with a command line like Node's.
import { exercise } from './exercise.js';

const [host = '', repository = ''] = globalThis.process.argv.slice(2);
globalThis.process.stdout.write(JSON.stringify(await exercise(host, repository)));
