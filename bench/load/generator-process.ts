// The process that generates the load. It runs one job after another, and ends with the process that started it.
import { jobs } from './jobs.ts';
import type { JobName } from './jobs.ts';
import type { Load } from './closed-loop.ts';
import type { JobMessage, ResultMessage } from './messages.ts';

process.on('message', (message: JobMessage) => void answer(message));
process.on('disconnect', () => process.exit());

async function answer({ id, name, options }: JobMessage): Promise<void> {
  let result: ResultMessage;
  try {
    const job = jobs[name as JobName] as (given: unknown) => Promise<Load>;
    result = { id, load: await job(options) };
  } catch (error) {
    const { message, status } = error as Error & { status?: number };
    result = { id, error: message, ...(status !== undefined && { status }) };
  }
  process.send?.(result);
}
