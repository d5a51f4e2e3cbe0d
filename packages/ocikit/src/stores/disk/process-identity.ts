// Recognising a process, so that a lock of a process that has ended can be told apart.
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** The identity of a process, such as the one that holds a lock. Other processes can look it up. */
export interface ProcessIdentity {
  /** The name of the machine or container. */
  host: string;
  /** The namespace of the pid. Two containers of one machine may both have a process 1. Empty if unknown. */
  namespace: string;
  /** Differs after each start of the machine. Empty if unknown. */
  boot: string;
  /** The number of the process. */
  pid: number;
  /** When the process started, in the kernel's ticks, because a pid may be reused. Empty if unknown. */
  started: string;
}

/** The identity of this process. */
export function thisProcess(): ProcessIdentity {
  const { pid } = process;
  return { host: hostname(), namespace: pidNamespace(), boot: bootId(), pid, started: startOf(pid) ?? '' };
}

/** The state of a process. `elsewhere`: it is on another host or in another container and cannot be looked up. */
export function lookUp({ host, namespace, boot, pid, started }: ProcessIdentity): 'alive' | 'gone' | 'elsewhere' {
  const here = thisProcess();
  if (host !== here.host || namespace !== here.namespace) return 'elsewhere';
  return boot === here.boot && startOf(pid) === started ? 'alive' : 'gone';
}

/** Empty on systems without such namespaces. */
function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** When a process started; undefined if it does not exist. Without /proc, the result is empty if it exists. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    try {
      process.kill(pid, 0);
      return '';
    } catch (error) {
      return error instanceof Error && 'code' in error && error.code === 'EPERM' ? '' : undefined;
    }
  }
}
