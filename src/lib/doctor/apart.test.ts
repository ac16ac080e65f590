import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { linesApart } from './apart.ts';

const soon = (): AbortSignal => AbortSignal.timeout(20_000);

describe('a program in a process of its own', () => {
  it('prints lines about what it is given, which nobody else on this machine can read', async () => {
    const program = `const given = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
      console.log(given.name);
      console.log([...process.argv, ...process.execArgv].some((one) => one.includes(given.name)));`;
    expect(await linesApart(program, { name: 'canary.example' }, soon())).toEqual(['canary.example', 'false']);
  });

  it('sees nothing of our environment', async () => {
    const names = await linesApart('console.log(Object.keys(process.env).join())', null, soon());
    expect(names).toEqual(['UV_THREADPOOL_SIZE']);
  });

  it('is killed at the deadline, whatever it does, and what it has said until then counts', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'apart-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const program = `const { mkdirSync, readFileSync } = require('node:fs');
      console.log('one');
      mkdirSync(JSON.parse(readFileSync(0, 'utf8')));
      for (;;);`;
    const deadline = new AbortController();
    const lines = linesApart(program, join(folder, 'said'), deadline.signal);
    await expect.poll(() => existsSync(join(folder, 'said')), { timeout: 20_000 }).toBe(true);
    deadline.abort();
    expect(await lines).toEqual(['one']);
  });

  it('that cannot go on has said what it has said', async () => {
    expect(await linesApart("console.log('one'); throw new Error('two')", null, soon())).toEqual(['one']);
  });
});
