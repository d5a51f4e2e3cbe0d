import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Which process holds a lock, said so that others can look it up. */
export interface ProcessIdentity {
  host: string;
  /** Numbers of processes mean something only in it: two containers of one machine may both have a process 1. */
  namespace: string;
  /** Differs after each start of the machine. */
  boot: string;
  pid: number;
  /** When the process started, in the kernel's ticks: a pid may be used again. */
  started: string;
}

/** This process. */
export function thisProcess(): ProcessIdentity {
  const { pid } = process;
  return { host: hostname(), namespace: pidNamespace(), boot: bootId(), pid, started: startOf(pid) ?? '' };
}

/** What has become of a process; `elsewhere`: it is on another host or in another container, and cannot be looked up. */
export function lookUp({ host, namespace, boot, pid, started }: ProcessIdentity): 'alive' | 'gone' | 'elsewhere' {
  const here = thisProcess();
  if (host !== here.host || namespace !== here.namespace) return 'elsewhere';
  return boot === here.boot && startOf(pid) === started ? 'alive' : 'gone';
}

/** Empty where there is none. */
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

/** Undefined if there is no such process. Where there is no /proc, whether there is one is all that is known. */
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
