import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** The place in which a PID means one process: machine, boot and PID namespace. Empty where that cannot be told. */
export const MACHINE = machineId();

function machineId(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return [hostname(), boot, readlinkSync('/proc/self/ns/pid')].join('/');
  } catch {
    return '';
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
