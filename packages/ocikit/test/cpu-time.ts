// How long something computes, whatever else the machine does.

/** Milliseconds of processor time that this process takes for a call. */
export function cpuTimeOf(call: () => void): number {
  const before = process.cpuUsage();
  call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
