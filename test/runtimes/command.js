// For runtimes that are started like Node.
import { exercise } from './exercise.js';

const [host = '', repository = ''] = globalThis.process.argv.slice(2);
globalThis.process.stdout.write(JSON.stringify(await exercise(host, repository)));
