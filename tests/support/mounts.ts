import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export type Disk = {
  readonly folder: string;
  /** What is there stays there; nothing may be open for writing. */
  makeReadOnly(): void;
};

const mount = (...args: string[]): void => void execFileSync('mount', args, { stdio: 'pipe' });

/** A disk of so many kilobytes, gone when the test is over; null where this user may not mount. */
export function mountDisk(kilobytes: number): Disk | null {
  const folder = mkdtempSync(join(tmpdir(), 'wardround-disk-'));
  try {
    mount('-t', 'tmpfs', '-o', `size=${kilobytes}k,mode=0700`, 'tmpfs', folder);
  } catch {
    rmSync(folder, { recursive: true });
    return null;
  }
  onTestFinished(() => {
    // Whatever still has a file open there keeps it; the name is free at once.
    execFileSync('umount', ['--lazy', folder]);
    rmSync(folder, { recursive: true });
  });
  return { folder, makeReadOnly: () => mount('-o', 'remount,ro', folder) };
}

export const NO_MOUNT = 'a disk of its own for this test needs the right to mount';
